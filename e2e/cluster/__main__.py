from e2e.cluster.cli import app

app()
