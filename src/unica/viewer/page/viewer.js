// The page of one picture: OpenSeadragon moves and zooms; here is what is said about it, and the buttons.

const $ = (id) => document.getElementById(id);
const LOADING_AFTER = 400; // milliseconds after which one is told that tiles are on their way
const AT_A_TIME = 4; // requests; the rest waits here, where it can be dropped
const LONGEST = 3600_000; // milliseconds that a tile may take: a large canvas on a slow machine
const MEMORY = 2 ** 26; // pixels of tiles that the browser keeps
const NEAREST = 64; // screen pixels of one pixel of the picture

function problem(sentence) {
  $("problem").textContent = sentence[0].toUpperCase() + sentence.slice(1).replace(/\.?$/, ".");
  $("problem").hidden = false;
}

async function ask(path) {
  const answer = await fetch(path).catch(() => null);
  if (answer?.ok) return answer;
  const said = await answer?.json().catch(() => null);
  throw new Error(said?.error || "nothing answers: is the program still running?");
}

// OpenSeadragon writes a style sheet of its own into the page, which the page's policy forbids, unless it finds one. This
// is none, but has its name.
function withoutItsStyle() {
  const none = document.createElementNS(null, "style");
  none.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(none);
}

function open(facts) {
  withoutItsStyle();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = new OpenSeadragon.Viewer({
    element: $("view"),
    drawer: "canvas", // the only one that can show pixels unsmoothed at some sizes and smoothed at others
    tileSources: {
      width: facts.width,
      height: facts.height,
      tileSize: facts.tile,
      tileOverlap: 0,
      minLevel: facts.first,
      maxLevel: facts.kinds.length - 1,
      getTileUrl: (level, column, row) => `tiles/${level}/${column}_${row}.${facts.kinds[level]}`,
      hasTransparency: () => facts.transparent,
    },
    showNavigationControl: false,
    keyboardNavEnabled: false, // it has keys that turn and mirror the picture
    imageLoaderLimit: AT_A_TIME,
    maxTilesPerFrame: AT_A_TIME,
    timeout: LONGEST,
    maxImageCacheCount: Math.ceil(MEMORY / facts.tile ** 2),
    animationTime: calm ? 0 : 0.6,
    blendTime: calm ? 0 : 0.1,
    maxZoomPixelRatio: NEAREST / devicePixelRatio,
    visibilityRatio: 0.2,
    smoothTileEdgesMinZoom: Infinity,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsPen: { clickToZoom: false, dblClickToZoom: true },
  });
  viewer.canvas.setAttribute("role", "group");
  viewer.canvas.setAttribute("aria-label", "The picture. Plus and minus zoom, arrows move, 0 shows all, 1 full size.");
  return viewer;
}

// One pixel of the picture in pixels of the screen, which are smaller than those of the page on sharp screens.
const zoomOf = (viewer, current) =>
  viewer.viewport.viewportToImageZoom(viewer.viewport.getZoom(current)) * devicePixelRatio;

function fullSize(viewer) {
  viewer.viewport.zoomTo(viewer.viewport.imageToViewportZoom(1 / devicePixelRatio)).applyConstraints();
}

function addControls(viewer) {
  const zoom = (factor) => viewer.viewport.zoomBy(factor).applyConstraints(),
    move = (x, y) => {
      const size = viewer.viewport.getContainerSize();
      viewer.viewport.panBy(viewer.viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x * size.x, y * size.y)));
      viewer.viewport.applyConstraints();
    },
    whole = () => viewer.viewport.goHome(),
    full = () => fullSize(viewer);
  const buttons = { in: () => zoom(2), out: () => zoom(0.5), whole, full };
  for (const [name, act] of Object.entries(buttons)) $(name).addEventListener("click", act);
  const keys = {
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: whole,
    1: full,
    ArrowLeft: () => move(-0.1, 0),
    ArrowRight: () => move(0.1, 0),
    ArrowUp: () => move(0, -0.1),
    ArrowDown: () => move(0, 0.1),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  });
}

// One may go out to half of what fits, and to full size if that is smaller still.
function allowSmall(viewer) {
  const now = () => {
    const { viewport } = viewer;
    viewport.minZoomLevel = Math.min(viewport.getHomeZoom() / 2, viewport.imageToViewportZoom(1 / devicePixelRatio));
  };
  for (const name of ["open", "resize"]) viewer.addHandler(name, now);
}

function tellZoom(viewer) {
  let smooth = true;
  const now = () => {
    const zoom = zoomOf(viewer, true),
      percent = zoom * 100;
    $("zoom").textContent = `${percent < 10 ? percent.toPrecision(2) : Math.round(percent)} %`;
    if (smooth !== zoom < 0.999) {
      smooth = !smooth;
      viewer.drawer.setImageSmoothingEnabled(smooth);
    }
  };
  for (const name of ["open", "animation", "resize"]) viewer.addHandler(name, now);
}

// At rest at 1:1, 2:1 and so on, each pixel of the picture is 1, 4 and so on whole pixels of the screen. Else
// OpenSeadragon makes tiles larger by a pixel, so that there are no gaps between them.
function showWholePixels(viewer) {
  let whole = false;
  viewer.drawer.minimumOverlapRequired = () => !whole;
  const rest = () => {
    const { viewport } = viewer,
      zoom = zoomOf(viewer, true);
    whole = zoom > 0.5 && Math.abs(zoom - Math.round(zoom)) < 1e-4;
    if (!whole) return;
    const corner = viewport.pixelFromPoint(viewport.imageToViewportCoordinates(0, 0), true).times(devicePixelRatio),
      beside = new OpenSeadragon.Point(corner.x - Math.round(corner.x), corner.y - Math.round(corner.y));
    viewport.panBy(viewport.deltaPointsFromPixels(beside.divide(devicePixelRatio), true), true);
    viewer.forceRedraw();
  };
  viewer.addHandler("animation-start", () => (whole = false));
  for (const name of ["open", "animation-finish", "resize"]) viewer.addHandler(name, rest);
}

function tellPlace(viewer, facts) {
  let last = null;
  const now = () => {
    const at = last && viewer.viewport.pointFromPixel(last, true),
      place = at && viewer.viewport.viewportToImageCoordinates(at),
      [x, y] = place ? [Math.floor(place.x), Math.floor(place.y)] : [-1, -1];
    $("place").textContent = x >= 0 && y >= 0 && x < facts.width && y < facts.height ? `x ${x}, y ${y}` : "";
  };
  $("view").addEventListener("pointermove", (event) => {
    const box = $("view").getBoundingClientRect();
    last = new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
    now();
  });
  $("view").addEventListener("pointerleave", () => {
    last = null;
    now();
  });
  viewer.addHandler("animation", now);
}

// Tiles that wait and are out of sight by now are forgotten; the next frame asks for those that are in sight.
function forgetTheUnseen(viewer) {
  let before = null;
  viewer.addHandler("viewport-change", () => {
    const now = performance.now();
    if (before !== null && now - before < 150) return;
    before = now;
    viewer.imageLoader.clear();
    viewer.forceRedraw();
  });
  viewer.addHandler("animation-finish", () => {
    before = null;
    viewer.imageLoader.clear();
    viewer.forceRedraw();
  });
}

function tellWhatIsOnItsWay(viewer, facts) {
  const word = facts.drawn ? "drawing" : "loading";
  let waiting = null;
  const now = (loaded) => {
    clearTimeout(waiting);
    if (loaded) $("busy").textContent = "";
    else waiting = setTimeout(() => ($("busy").textContent = word), LOADING_AFTER);
    document.body.dataset.loaded = String(loaded);
  };
  now(false);
  viewer.addHandler("fully-loaded-change", ({ fullyLoaded }) => now(fullyLoaded));
  viewer.addHandler("tile-load-failed", ({ tile }) => {
    ask(tile.getUrl()).catch((error) => problem(error.message));
  });
}

async function begin() {
  const facts = await (await ask("picture.json")).json(),
    thousands = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
  document.title = `${facts.name} – unica`;
  $("name").textContent = $("name").title = facts.name;
  $("size").textContent = `${thousands(facts.width)} × ${thousands(facts.height)} pixels`;
  if (!globalThis.OpenSeadragon) await ask("openseadragon.js");
  $("view").classList.toggle("transparent", facts.transparent);
  const viewer = open(facts);
  addControls(viewer);
  allowSmall(viewer);
  tellZoom(viewer);
  showWholePixels(viewer);
  tellPlace(viewer, facts);
  forgetTheUnseen(viewer);
  tellWhatIsOnItsWay(viewer, facts);
}

begin().catch((error) => problem(error.message));
