"""The studio: everything in the browser. The only package that knows Gradio and the web."""

HOST, PORT = "127.0.0.1", 7860  # where it is served
GIGABYTES, DAYS = 4.0, 7.0  # how much is kept, and for how long
