from retention_app.cli import app

app()
