"""The one exception whose text is meant for a user: cause, value and remedy in one line."""


class UserError(Exception):
    """Something that the user can mend. Its message is one line that needs no traceback."""
