#!/bin/sh
# opentelemetry-instrumentation-openai 0.62.4 (OpenLLMetry, by Traceloop), openai 3.57.0 (Python): a chat call with an inline image.
#
# Contents are captured by default, so one would expect every span of a chat call to carry what was asked. Where a message holds an
# image as a data: URL (as OpenAI's documentation shows), the span has no attribute for any input message at all: the instruction
# and the question in words are gone as well, while the answer, model and tokens are there. An image by its https: address is kept.
# Whoever reads such spans as training data finds answers without a question: these calls must be named, not counted as empty texts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 opentelemetry-instrumentation-openai==0.62.4 \
  opentelemetry-sdk==1.45.2
"$folder/env/bin/python" - <<'PYTHON'
import http.server
import json
import logging
import sys
import threading

from openai import OpenAI
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "apple", "refusal": None}
        body = json.dumps({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 1, "total_tokens": 41},
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
logging.disable(logging.CRITICAL)
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="none")

pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
words = {"type": "text", "text": "Which fruit is it?"}
image = lambda url: {"type": "image_url", "image_url": {"url": url}}
contents = {
    "words alone": [words],
    "an image by address": [words, image("https://example.org/fruit.png")],
    "an image inline": [words, image("data:image/png;base64," + pixel)],
}
asked = {}
for name, content in contents.items():
    exporter.clear()
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes)
    has = lambda word: any(word in str(value) for value in attributes.values())
    asked[name] = has("Which fruit is it?")
    print(f"{name}: question in the span: {asked[name]}; answer: {has('apple')}")

if asked != {"words alone": True, "an image by address": True, "an image inline": False}:
    print("changed: what is kept of the question is no longer as described")
    sys.exit(1)
PYTHON
