"""What the user sees of a run.

A `ViewState` folds the run's chunks; `scene_of` tells what there is to see; the widget, the report and
the terminal draw it. None of them fetches anything.
"""
