"""The one exception for what a user can put right: a wrong path, file, option or setting."""


class UserError(Exception):
    """A mistake in what the user gave; its message is one clear line that names what to change.

    Commands print it as ``error: …`` and exit with status 2, without a traceback.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of another library's message, to be quoted inside a line of ours."""
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
