"""User code of which mypy --strict and pyright's strict mode must refuse every line that says so. It is never run."""

from __future__ import annotations

from datetime import datetime

from celeriac import App, Context, Retry, TaskHandle

app = App("media", image="registry.example/media:1.4")


@app.task
def thumbnail(path: str, width: int = 128) -> bytes:
    return f"{path} {width}".encode()


@app.task
def with_context(ctx: Context, count: int) -> None:
    ctx.progress(count)


@app.task
async def asynchronous(name: str) -> int:
    return len(name)


App()  # refused: an app has a name
App("media", routes=3)  # refused: no routes
App("media", run_secs=3)  # refused: no such setting
thumbnail(1)  # refused: a direct call is checked too
thumbnail.delay(1)  # refused: path is a string
thumbnail.delay()  # refused: path is missing
thumbnail.delay("a", "b")  # refused: width is a number
thumbnail.delay("a", height=1)  # refused: no such parameter
thumbnail.request(1)  # refused: path is a string
thumbnail.options(countdown="soon")  # refused: no duration
thumbnail.options(block="yes")  # refused: yes or no
thumbnail.options(cuontdown=1)  # refused: no such option
thumbnail.options(countdown=1).delay(1)  # refused: options change no types
thumbnail.options(priority="high").delay("a")  # refused: a number
thumbnail.apply_async("a", countdown="b")  # refused: a number
thumbnail.apply_async(("a",), soft_time_limit=3)  # refused: no such argument
number: int = thumbnail.delay("a").get()  # refused: the result is bytes
handle: TaskHandle[int] = thumbnail.delay("a")  # refused: the result is bytes
with_context.delay(Context(), 3)  # refused: the runner gives the Context
with_context.delay("3")  # refused: count is a number
asynchronous.delay(1)  # refused: name is a string
length: str = asynchronous.delay("a").get()  # refused: the result is a number, not a coroutine
app.task(queue=1)  # refused: a queue's name
app.task(retries=3)  # refused: no such setting
app.task(retry=3)(len)  # refused: a Retry
Retry(max_attempts="x")  # refused: a number
Retry(retry_for=(int,))  # refused: an exception
Retry(attempts=1)  # refused: no such argument
Context().progress("half")  # refused: a number
Context().remaining() + 1  # refused: there may be no deadline
thumbnail.delay("a").cancel(1)  # refused: a reason
thumbnail.delay("a").get("soon")  # refused: seconds
thumbnail.nonsense  # refused: no such attribute
thumbnail.options(start_time=datetime.now().isoformat())  # refused: a time


async def awaited() -> None:
    text: str = await thumbnail.delay("a")  # refused: the result is bytes
    await thumbnail.adelay(1)  # refused: path is a string
    other: str = await (await asynchronous.adelay("a")).aget()  # refused: the result is a number
    print(text, other)
