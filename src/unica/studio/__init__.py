"""The studio: everything in the browser. The only package that knows Gradio and the web."""
