"""unica's nodes for ComfyUI: put this folder into `custom_nodes`, and install unica where ComfyUI runs."""

try:
    # of ComfyUI 0.3.48 and newer
    from comfy_api.latest import ComfyExtension  # pyright: ignore[reportMissingImports]
except ImportError:
    from .schemas import older_nodes

    NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = older_nodes()
else:
    from .schemas import nodes_of_today

    class Unica(ComfyExtension):
        async def get_node_list(self):
            return nodes_of_today()

    async def comfy_entrypoint() -> Unica:
        return Unica()
