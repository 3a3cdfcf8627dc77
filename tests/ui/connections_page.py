# SPDX-License-Identifier: Apache-2.0
"""Airflow's page Admin, Connections in a real browser, as an administrator uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_chattransfer.connection_forms import ConnectionForm, Kind
from airflow_provider_chattransfer.services import forms

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

OPEN = """(ends) => {
    document.activeElement.blur();
    for (const region of document.querySelectorAll("[role=dialog] [role=region]"))
        if (ends.some((end) => region.id.endsWith(end))) {
            region.style.setProperty("display", "block", "important");
            region.style.setProperty("height", "auto", "important");
        }
}"""
AIRFLOWS_OWN = "Standard Fields"


class Told(NamedTuple):
    """The result of a connection test: ``success`` or ``error``, and Airflow's sentence."""

    kind: str
    sentence: str


class ConnectionsPage:
    """One tab with the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def open(self) -> None:
        """Load the list of connections."""
        self.page.goto(f"{self.url}/connections")

    def add(self, conn_id: str, conn_type: str, fields: Mapping[str, Any]) -> None:
        """Fill in the form of a new connection; it is not saved."""
        self.page.get_by_role("button", name="Add Connection").click()
        self.page.get_by_label("Connection ID").fill(conn_id)
        self._choose(self.page.get_by_role("combobox", name="Connection Type"), forms()[conn_type].name)
        self.fill_in(conn_type, fields)

    def edit(self, conn_id: str) -> None:
        """Open the form of a saved connection."""
        self._button(conn_id, "Edit Connection").click()
        self.page.get_by_role("dialog").get_by_text("Standard Fields").wait_for()

    def fill_in(self, conn_type: str, fields: Mapping[str, Any]) -> None:
        """Type into the fields of an open form, section by section, each found by its label."""
        form = forms()[conn_type]
        standard = {each.key: each.label for each in form.standard}
        self._section(AIRFLOWS_OWN)
        for key, label in standard.items():
            if key in fields:
                self._labelled(label).fill(str(fields[key]))
        for section in form.sections:
            wanted = [field for field in section.fields if field.key in fields]
            if wanted:
                self._section(section.title)
            for field in wanted:
                if field.kind is Kind.CHOICE:
                    self._choose(self._labelled(field.label), str(fields[field.key]))
                else:
                    self._labelled(field.label).fill(str(fields[field.key]))

    def save(self) -> None:
        """Save the form, and wait until it is closed."""
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Save").click()
        dialog.wait_for(state="detached")

    def test(self, conn_id: str) -> Told:
        """Press Test, and read Airflow's result."""
        self._button(conn_id, "Test Connection").click()
        toast = self.page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection").last
        toast.wait_for()
        sentence = toast.locator("[data-part=description]").inner_text()
        return Told(str(toast.get_attribute("data-type")), sentence)

    def values(self) -> dict[str, str]:
        """Return the values of all fields of the open form by name, Airflow's own and ours."""
        inputs = self.page.locator("[role=dialog] :is(input, textarea)[name]").all()
        return {str(each.get_attribute("name")).removeprefix("element_"): str(each.input_value()) for each in inputs}

    def save_by_api(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Save a connection without the form."""
        body = {**connection, "connection_id": conn_id, "extra": json.dumps(connection["extra"])}
        body["login"] = str(body["login"]) if "login" in body else None
        reply = self.page.request.post(f"{self.url}/api/v2/connections", data=body)
        assert reply.status == 201, reply.text()

    def picture(self, conn_type: str, fields: Mapping[str, Any]) -> bytes:
        """Return a screenshot of the open form with each section that has one of ``fields``; Airflow opens only one."""
        titles = ["standardFields", *_sections_with(forms()[conn_type], fields)]
        self.page.evaluate(OPEN, [f":content:{title}" for title in titles])
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": 1200, "height": 2400})
        picture = self.page.locator("[role=dialog]").screenshot(animations="disabled")
        self.page.set_viewport_size(size or {"width": 1200, "height": 1200})
        return picture

    def _section(self, title: str) -> None:
        trigger = self.page.get_by_role("dialog").get_by_role("button", name=title, exact=True)
        if trigger.get_attribute("aria-expanded") == "false":
            trigger.click()

    def _labelled(self, label: str) -> Locator:
        """Return the field beside a label."""
        whole = re.compile(rf"^\s*{re.escape(label)}\s*$")
        group = self.page.locator("[role=dialog] [data-part=root][role=group]").filter(
            has=self.page.locator("label").filter(has_text=whole)
        )
        return group.locator("input, textarea").filter(visible=True).first

    def _choose(self, box: Locator, choice: str) -> None:
        box.fill(choice)
        self.page.get_by_role("option", name=choice, exact=True).click()

    def _button(self, conn_id: str, name: str) -> Locator:
        row = self.page.get_by_role("row").filter(has=self.page.get_by_text(conn_id, exact=True))
        return row.get_by_role("button", name=name)


def _sections_with(form: ConnectionForm, fields: Mapping[str, Any]) -> list[str]:
    return [section.title for section in form.sections if any(field.key in fields for field in section.fields)]
