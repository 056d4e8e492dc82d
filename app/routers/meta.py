"""What stands beside the resources: health, metrics, documentation, the catalogues of problems and of events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import FileResponse, HTMLResponse

from app import event_pages
from app.db import encode
from app.errors import NotFound
from app.openapi import KEPT
from app.problems import catalogue_page, language_of, problem_page
from app.services.health import measure_log

router = APIRouter(include_in_schema=False)

ASSETS: Final = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")
_PAGE: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@router.get("/livez")
async def show_liveness() -> Response:
    """The process answers."""
    return Response(encode({"status": "ok"}), media_type="application/json")


@router.get("/readyz")
async def show_readiness(request: Request) -> Response:
    """The process can serve: the database answers and is migrated; names what is missing otherwise (503).

    A log that stands still is named as `degraded`, which serves (200).
    """
    found = await request.app.state.readiness.now()
    status = 503 if found["status"] == "not_ready" else 200
    return Response(encode(found), status, {"Retry-After": "2"} if status != 200 else None, "application/json")


@router.get("/metrics")
async def show_metrics(request: Request) -> Response:
    """Counters and histograms for Prometheus, and for nobody else: they tell how much others do."""
    if not _may_measure(request):
        raise NotFound
    await measure_log(request.app.state.database)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _may_measure(request: Request) -> bool:
    settings = request.app.state.database.settings
    if settings.metrics_token is not None:
        shown = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(shown, f"Bearer {settings.metrics_token.get_secret_value()}".encode())
    here = request.client is not None and request.client.host in {"127.0.0.1", "::1"}
    return bool(here and settings.env != "production")


@router.get("/problems")
async def list_problems(request: Request) -> HTMLResponse:
    """The catalogue of problems, readable by people."""
    return HTMLResponse(catalogue_page(language_of(request)), headers={"Content-Security-Policy": _PAGE})


@router.get("/problems/{code}")
async def show_problem(request: Request, code: str) -> HTMLResponse:
    """One problem: what it means and what to do."""
    return HTMLResponse(problem_page(code, language_of(request)), headers={"Content-Security-Policy": _PAGE})


@router.get("/events")
async def list_kinds_of_events(request: Request) -> HTMLResponse:
    """The catalogue of events, readable by people."""
    return HTMLResponse(event_pages.index_page(language_of(request)), headers={"Content-Security-Policy": _PAGE})


@router.get("/events/{kind}")
async def show_kind_of_event(request: Request, kind: str) -> Response:
    """One kind of event: what happened, what its facts hold; as JSON Schema for who asks for JSON."""
    if "json" in request.headers.get("accept", ""):
        return Response(encode(event_pages.data_schema(kind)), media_type="application/schema+json")
    return HTMLResponse(event_pages.kind_page(kind, language_of(request)), headers={"Content-Security-Policy": _PAGE})


@router.get("/openapi.json")
async def show_openapi() -> FileResponse:
    """The OpenAPI document."""
    return FileResponse(KEPT, media_type="application/json")


@router.get("/docs")
async def show_docs(request: Request) -> HTMLResponse:
    """The API's documentation; every asset comes from the service itself."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=request.app.title,
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon.png",
    )
    page.headers["Content-Security-Policy"] = _policy_of(bytes(page.body).decode())
    return page


def _policy_of(page: str) -> str:
    """Allow the service's own assets, and of inline scripts those of this page only, by their hash."""
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inline]
    scripts = " ".join(f"'sha256-{one}'" for one in hashes)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
