"""The portal in the browser: pages over a ``Client`` and the catalog, for one signed-in person at a time.

Pages ask and show; they hold no state of the platform, decide no permission and speak no SQL.
"""

from .app import WebApp, create_app
from .settings import WebSettings

__all__ = ["WebApp", "WebSettings", "create_app"]
