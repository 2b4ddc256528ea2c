"""The site's own files: styles, scripts, the vendored libraries. Named with a mark of their content, so a browser keeps them."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from whytune.web.rendering import STATIC

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}


async def file(request: Request) -> Response:
    """One file of the folder itself; nothing beside or beneath it."""
    path = STATIC / request.path_params["file"]
    if len(path.name) > 100 or path.parent != STATIC or path.suffix not in KINDS or not path.is_file():
        raise HTTPException(404)
    keep = "public, max-age=31536000, immutable" if request.query_params.get("v") else "no-cache"
    return FileResponse(path, media_type=KINDS[path.suffix], headers={"cache-control": keep})


routes = [Route("/static/{file}", file, methods=["GET"])]
