"""Looking after a data folder from outside: backup, restore, fsck, compaction, for the commands of that name.

Only what works on a folder's files lives here, whether a platform runs on it or not; nothing asks a server, and
nothing runs in the server's process. ``__main__`` hands ``FolderMaintenance`` to the command line.
"""

from .folder import FolderMaintenance

__all__ = ["FolderMaintenance"]
