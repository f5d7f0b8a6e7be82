"""unica's nodes for ComfyUI: put this folder into `custom_nodes`, and install unica where ComfyUI runs."""

try:
    import unica  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "unica":
        raise
    raise ImportError("unica is not installed where ComfyUI runs: README.md of these nodes says how") from None

try:  # ComfyUI 0.3.48 and newer
    from comfy_api.latest import ComfyExtension  # pyright: ignore[reportMissingImports]
except ImportError:
    from .schemas import v1_nodes

    NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = v1_nodes()
else:
    from .schemas import v3_nodes

    class Unica(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return v3_nodes()

    async def comfy_entrypoint() -> Unica:
        return Unica()
