"""The forms of operators' commands on a job's page: each is a POST that leads back to the page."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, redirect, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from api.errors import InvalidFields
from api.http.callers.access import principal, services
from api.http.making import making
from api.http.orders import give_order
from api.pages.content.orders import OFFERS
from api.pages.job import page_of, seen_job
from api.pages.visitor import for_visitors
from api.schemas.requests import StoppedSchema
from domain.errors import MilepostError, Refused
from domain.job.runs.orders import Order

bp = Blueprint("orders", __name__)


@for_visitors("write")
def order(job_id: str, name: str) -> AnyResponse:
    """Give an order about a job, and lead back to its page.

    An order that the job's state forbids shows the page with the reason, and with what is possible.
    """
    job = seen_job(job_id)
    given = {
        field: value for field in ("reason", "server_id") if (value := request.form.get(field))
    }
    try:
        fields = StoppedSchema().load(given)
        receipt = give_order(
            cast(Order, name),
            job.job_id,
            services(),
            principal(),
            reason=fields.get("reason"),
            server_id=fields.get("server_id") if name == "stopped" else None,
        )
    except ValidationError as fault:
        return _page(job_id, InvalidFields(fault.messages_dict))
    except Refused as refusal:
        return _page(job_id, refusal)
    result = name if receipt.position is not None else f"{name}-already"
    address = url_for("job.show", job_id=job_id, done=result)
    return redirect(address, HTTPStatus.SEE_OTHER)


def _page(job_id: str, refused: MilepostError) -> AnyResponse:
    with making(principal()):
        return page_of(seen_job(job_id), refused)


for _name in OFFERS:
    bp.add_url_rule(
        f"/jobs/<id:job_id>/{_name}", _name, order, methods=["POST"], defaults={"name": _name}
    )
