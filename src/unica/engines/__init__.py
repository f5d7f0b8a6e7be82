"""The engines: ways to make pictures from one picture. `base` says what an engine is and finds those installed."""
