# SPDX-License-Identifier: Apache-2.0
"""Render the templated fields of operators and of the sensor, string by string, where there is something to render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk import Context
    from jinja2 import Environment
else:
    BaseOperator = object

CHANGED_BY_JINJA = ("\r", "\n")
"""What Jinja changes outside of templates: it writes all line ends alike, and drops the last."""


class RenderOnlyTemplates(BaseOperator):
    """Leave strings in which Jinja would find nothing as they are; put it before Airflow's class among the bases.

    Airflow compiles a Jinja template for every string of a templated field: for each chat of a list, 0.2 ms for its
    target and its source.
    """

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return what Airflow would render ``content`` to; it is asked where that may differ from ``content``."""
        jinja_env = jinja_env or self.get_template_env()
        if type(content) is str and not content.endswith(tuple(self.template_ext)) and is_plain(content, jinja_env):
            return _rendered_plain(content, jinja_env)
        return super().render_template(content, context, jinja_env, seen_oids)


def is_plain(text: str, environment: Environment) -> bool:
    """Tell whether ``text`` has nothing that Jinja reads, with the delimiters and extensions of a DAG's environment."""
    marks = (
        environment.variable_start_string,
        environment.block_start_string,
        environment.comment_start_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
        *CHANGED_BY_JINJA,
    )
    return bool(text) and not any(mark in text for mark in marks if mark) and not _rewrites_sources(environment)


def _rewrites_sources(environment: Environment) -> bool:
    """Tell whether an extension of the environment may change text that is in no template."""
    from jinja2.ext import Extension

    return any(
        type(each).preprocess is not Extension.preprocess or type(each).filter_stream is not Extension.filter_stream
        for each in environment.extensions.values()
    )


def _rendered_plain(text: str, environment: Environment) -> Any:
    """Return what a template of ``text`` alone renders: in a native environment, the value of a literal."""
    from jinja2.nativetypes import NativeEnvironment, native_concat

    return native_concat([text]) if isinstance(environment, NativeEnvironment) else text
