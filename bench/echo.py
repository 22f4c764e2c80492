"""The measure of all things here: a bare FastAPI application that sends back what it got."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Echo(BaseModel):
    code: str


@app.post("/echo")
async def post_echo(body: Echo) -> Echo:
    return body


@app.get("/echo/{code}")
async def get_echo(code: str) -> Echo:
    return Echo(code=code)
