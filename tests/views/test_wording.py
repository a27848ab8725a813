from snakepit_jupyter.views.wording import clean, lines_of, short


def test_terminal_colours_and_links_are_taken_out() -> None:
    assert clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07\a") == "red link"


def test_half_a_surrogate_pair_can_still_be_sent() -> None:
    assert clean("a\ud800b").encode() == b"a?b"


def test_a_long_text_is_shortened_on_one_line() -> None:
    assert short("one\n two   three", 40) == "one two three"
    assert short("x" * 100, 10) == "x" * 9 + "…"


def test_a_line_is_what_a_terminal_leaves_of_it() -> None:
    assert lines_of("10%\r20%\r30%\n\ndone\r\n", 80) == ["30%", "", "done"]
    assert lines_of("", 80) == []
