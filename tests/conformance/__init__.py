"""What anybody may expect who knows only the proto."""
