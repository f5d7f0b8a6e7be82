"""The nodes as classes of ComfyUI: in its schema of today (V3), and in the older one (V1)."""

from __future__ import annotations

import inspect
from typing import Any

from .inputs import Socket
from .nodes import Node, add_folder, nodes


def v3_nodes() -> list[type]:
    """Classes for `comfy_entrypoint`."""
    add_folder()
    return [_v3(node) for node in nodes()]


def v1_nodes() -> tuple[dict[str, type], dict[str, str]]:
    """NODE_CLASS_MAPPINGS and NODE_DISPLAY_NAME_MAPPINGS."""
    add_folder()
    found = nodes()
    return {node.id: _v1(node) for node in found}, {node.id: node.title for node in found}


def _v3(node: Node) -> type:
    from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

    types = {
        "INT": io.Int, "FLOAT": io.Float, "STRING": io.String, "BOOLEAN": io.Boolean, "COMBO": io.Combo,
        "IMAGE": io.Image, "MASK": io.Mask,
    }  # fmt: skip

    def type_of(name: str) -> Any:
        return types.get(name) or io.Custom(name)

    def input_of(socket: Socket) -> Any:
        settings = socket.settings | ({} if socket.options is None else {"options": list(socket.options())})
        made = type_of(socket.type).Input
        known = inspect.signature(made).parameters  # some are younger than the schema
        settings = {name: value for name, value in settings.items() if name in known}
        return made(socket.name, optional=not socket.required, **settings)

    class V3Node(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema(
                node_id=node.id, display_name=node.title, category=node.category, description=node.description,
                inputs=[input_of(socket) for socket in node.sockets],
                outputs=[type_of(type).Output(display_name=name) for type, name in node.outputs],
                is_output_node=node.output_node,
            )  # fmt: skip

        @classmethod
        def execute(cls, **given: Any) -> Any:
            return io.NodeOutput(*node.run(given))

    if node.changed is not None:
        changed = node.changed
        V3Node.fingerprint_inputs = classmethod(lambda cls, **given: changed(given))
    return V3Node


def _v1(node: Node) -> type:
    class V1Node:
        RETURN_TYPES = tuple(type for type, _ in node.outputs)
        RETURN_NAMES = tuple(name for _, name in node.outputs)
        FUNCTION = "run"
        CATEGORY = node.category
        DESCRIPTION = node.description
        OUTPUT_NODE = node.output_node

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:
            inputs: dict[str, Any] = {"required": {}, "optional": {}}
            for socket in node.sockets:
                type: Any = socket.type if socket.options is None else list(socket.options())
                inputs["required" if socket.required else "optional"][socket.name] = (type, dict(socket.settings))
            return inputs

        def run(self, **given: Any) -> tuple[Any, ...]:
            return node.run(given)

    if node.changed is not None:
        changed = node.changed
        setattr(V1Node, "IS_CHANGED", classmethod(lambda cls, **given: changed(given)))  # noqa: B010
    return V1Node
