"""The contract's side: bindings, which exist in the built component only, and conversions. No check looks in here."""

import json
import random
from dataclasses import dataclass

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.plugin import RunError_BadParams, RunError_Internal, RunError_UnknownCheck, RunRequest
from wit_world.imports import failures, http, manifest, types

from mustdo import Check, Context, Failure, Report, Response, Text

# Bytes of an answer that are kept; the rest is counted, not kept.
KEEP_BYTES = 1 << 20

STATUS = {status.name.lower(): status for status in types.Status}
NEED = {need.name.lower(): need for need in types.Need}


def plugin(id: str, version: str, title: Text, description: Text, license: str, checks: list[Check]) -> type:
    """The class that the component exports."""
    known = {check.id: check for check in checks}

    class Plugin(exports.Plugin):
        def describe(self) -> manifest.PluginInfo:
            extras = [("title.zh", title.zh), ("description", description.en), ("description.zh", description.zh)]
            return manifest.PluginInfo(id, version, title.en, license, "", [_check(check) for check in checks], extras)

        def run(self, request: RunRequest) -> types.Verdict:
            check = known.get(request.check)
            if check is None:
                raise Err(RunError_UnknownCheck(request.check))
            try:
                given = json.loads(request.params or "{}")
            except ValueError as error:
                raise Err(RunError_BadParams(str(error)))
            context = Context({**check.defaults(), **given}, random.Random(request.seed), _Client)
            try:
                report = check.run(context)
            except Exception as error:
                # A bug in the check: never the learner's failure.
                raise Err(RunError_Internal(f"{type(error).__name__}: {error}"))
            return _verdict(report)

    return Plugin


@dataclass
class _Client:
    """A client of one http target; every request has a connection of its own."""

    target: str

    def send(self, method: str, path: str, headers: dict[str, str] = {}, body: bytes = b"") -> Response:
        pairs = [(name, value.encode()) for name, value in headers.items()]
        request = http.Request(method, path, pairs, body, 0, KEEP_BYTES, 0, [])
        try:
            answer = http.open(self.target, http.Options(False, None, [])).send(request)
        except Err as error:
            raise Failure(_explain(error.value)) from None
        kept: dict[str, list[str]] = {}
        for name, value in answer.headers:
            kept.setdefault(name.lower(), []).append(value.decode("utf-8", "replace"))
        return Response(answer.status, kept, answer.body, answer.truncated)


def _explain(failure: failures.Failure) -> Text:
    why = getattr(failure, "value", "")
    match failure:
        case failures.Failure_Denied():
            return Text(f"this plugin is not allowed to do that yet: {why}", f"插件还没有得到许可：{why}")
        case failures.Failure_Unbound():
            return Text(f"no such target in mustdo.toml: {why}", f"mustdo.toml 里没有绑定这个目标：{why}")
        case failures.Failure_Unreachable():
            return Text(f"the service did not take the connection: {why}", f"连不上服务：{why}")
        case failures.Failure_TimedOut():
            return Text("the service did not answer in time", "服务没有按时回应")
    return Text(f"the request failed: {why}", f"请求失败：{why}")


def _check(check: Check) -> manifest.Check:
    wanted = [manifest.CapabilityRequest(manifest.Capability_Http(name), why, True) for name, why in check.http.items()]
    extras = [("title.zh", check.title.zh), ("description.zh", check.description.zh)]
    return manifest.Check(
        check.id,
        check.title.en,
        check.description.en,
        json.dumps(check.schema()),
        wanted,
        check.typical_millis,
        check.exclusive,
        extras,
    )


def _verdict(report: Report) -> types.Verdict:
    status, summary = report.conclusion()
    score = report.score()
    steps, findings = [], []
    for step in report.steps:
        zh = [("zh", step.summary.zh)]
        steps.append(types.Step(step.id, NEED[step.need], STATUS[step.status], step.summary.en, zh))
        if step.hint:
            extras = [("message.zh", step.summary.zh), ("hint.zh", step.hint.zh)]
            severity = types.Severity.PROBLEM if step.need == "must" else types.Severity.WARNING
            findings.append(types.Finding(severity, step.id, step.summary.en, None, step.hint.en, extras))
    figures = [types.Measurement(name, value, unit, 1, "", []) for name, value, unit in report.measurements]
    points = None if score is None else types.Score(score, 1.0)
    extras = [("summary.zh", summary.zh)]
    return types.Verdict(STATUS[status], summary.en, points, steps, findings, [], figures, extras)
