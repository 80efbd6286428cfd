"""The commands, put together."""

from __future__ import annotations

import typer

from celeriac.cli import (
    _advise,
    _cron,
    _dead,
    _deeds,
    _doctor,
    _exit,
    _history,
    _list,
    _manifest,
    _plugins,
    _queues,
    _run,
    _submit,
)
from celeriac.cli._flags import Common, ContextOption, NamespaceOption, Output, OutputOption

app = typer.Typer(
    name="celeriac",
    help="Submit tasks to Kubernetes and follow them.",
    epilog=_exit.HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def remember(
    ctx: typer.Context,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit tasks to Kubernetes and follow them."""
    ctx.obj = Common(namespace, context, output)


app.command("run")(_run.run)
app.command("submit")(_submit.submit)
app.command("list")(_list.list_tasks)
app.command("get")(_deeds.get)
app.command("logs")(_deeds.logs)
app.command("wait")(_deeds.wait)
app.command("cancel")(_deeds.cancel)
app.command("retry")(_deeds.retry)
app.command("why")(_deeds.why)
app.command("history")(_history.history)
app.command("advise")(_advise.advise)
app.add_typer(_queues.app, name="queues")
app.command("pause")(_queues.pause)
app.command("resume")(_queues.resume)
app.command("drain")(_queues.drain)
app.add_typer(_cron.app, name="cron")
app.add_typer(_dead.app, name="dead")
app.command("manifest")(_manifest.manifest)
app.command("check")(_manifest.check)
app.command("doctor")(_doctor.doctor)
app.command("version")(_doctor.version)
_plugins.add(app)
