// A material in light: its maps on a plane or a sphere, with a lamp where the pointer is.

import { el } from "./util.js";

const PLANE = 512,
  SPHERE = 640, // pixels of a side that are computed
  LAMP = [-0.35, 0.4], // where it is at first, in half sides from the middle; up is positive
  HEIGHT = 0.7, // of the lamp above a plane
  BUMP = 6; // how steep a height map is that has no normals beside it

export const canBeLit = (maps) => maps.some((one) => one.kind === "normal" || one.name === "height");

// A canvas that shows the material. `address` says where a map's picture is.
export function lit(maps, address, shape) {
  const canvas = el("canvas", {
    className: "lit",
    role: "img",
    "aria-label": `The material in light, on a ${shape}; the pointer moves the lamp`,
  });
  let surface = null,
    lamp = LAMP,
    due = false;
  const draw = () => {
    due = false;
    if (surface) shade(canvas, surface, lamp);
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    lamp = [
      ((event.clientX - box.left) / box.width) * 2 - 1,
      1 - ((event.clientY - box.top) / box.height) * 2,
    ];
    if (!due) requestAnimationFrame(draw);
    due = true;
  });
  read(maps, address).then((material) => {
    surface = (shape === "sphere" ? sphere : plane)(material);
    canvas.width = surface.w;
    canvas.height = surface.h;
    draw();
    canvas.dataset.drawn = "true";
  });
  return canvas;
}

// The maps as numbers, at the size of the first.
async function read(maps, address) {
  const byName = (...names) => maps.find((one) => names.includes(one.name)),
    normal = maps.find((one) => one.kind === "normal"),
    colour = maps.find((one) => one.kind === "color"),
    rough = byName("roughness", "gloss");
  const first = await picture(address(maps[0])),
    ratio = PLANE / Math.max(first.naturalWidth, first.naturalHeight),
    w = Math.max(1, Math.round(first.naturalWidth * ratio)),
    h = Math.max(1, Math.round(first.naturalHeight * ratio));
  const levels = async (one) => (one ? numbers(await picture(address(one)), w, h) : null);
  const gray = async (one, fallback, from = (level) => level / 255) => {
    const found = await levels(one);
    return Float32Array.from({ length: w * h }, (_, i) => (found ? from(found[4 * i]) : fallback));
  };
  const seen = await levels(colour),
    albedo = Float32Array.from({ length: 3 * w * h }, (_, i) =>
      seen ? (seen[4 * Math.floor(i / 3) + (i % 3)] / 255) ** 2.2 : 0.5,
    );
  return {
    w,
    h,
    albedo,
    normals: normal
      ? directions(await levels(normal), /dx[^a-z]*$/i.test(normal.file.replace(/\.\w+$/, "")))
      : slopes(await gray(byName("height"), 0), w, h),
    rough: await gray(rough, 0.6, rough?.name === "gloss" ? (level) => 1 - level / 255 : undefined),
    metal: await gray(byName("metallic"), 0),
    ao: await gray(byName("ao"), 1),
  };
}

function picture(source) {
  const image = new Image();
  image.src = source;
  return image.decode().then(() => image);
}

function numbers(image, w, h) {
  const ink = el("canvas", { width: w, height: h }).getContext("2d", { willReadFrequently: true });
  ink.drawImage(image, 0, 0, w, h);
  return ink.getImageData(0, 0, w, h).data;
}

// Vectors from the colours of a normal map. Green is up, or down in maps for DirectX.
function directions(levels, down) {
  const found = new Float32Array((levels.length / 4) * 3);
  for (let i = 0; i < found.length / 3; i++) {
    const x = levels[4 * i] / 127.5 - 1,
      y = (levels[4 * i + 1] / 127.5 - 1) * (down ? -1 : 1),
      z = Math.max(levels[4 * i + 2] / 127.5 - 1, 0.01);
    const length = Math.hypot(x, y, z);
    found.set([x / length, y / length, z / length], 3 * i);
  }
  return found;
}

// The same from heights.
function slopes(heights, w, h) {
  const found = new Float32Array(3 * w * h),
    at = (x, y) => heights[Math.min(Math.max(y, 0), h - 1) * w + Math.min(Math.max(x, 0), w - 1)];
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const dx = (at(x - 1, y) - at(x + 1, y)) * BUMP,
        dy = (at(x, y + 1) - at(x, y - 1)) * BUMP,
        length = Math.hypot(dx, dy, 1);
      found.set([dx / length, dy / length, 1 / length], 3 * (y * w + x));
    }
  return found;
}

// What is seen at each pixel: the place in the maps, where the surface looks, and where it is. -1: nothing.
function plane(material) {
  const { w, h } = material,
    half = Math.max(w, h) / 2;
  return {
    ...material,
    places: Int32Array.from({ length: w * h }, (_, i) => i),
    normals: material.normals,
    where: (i) => [((i % w) - w / 2) / half, (h / 2 - Math.floor(i / w)) / half],
  };
}

// The picture once around the front of a sphere.
function sphere(material) {
  const side = SPHERE,
    places = new Int32Array(side * side).fill(-1),
    normals = new Float32Array(3 * side * side);
  for (let i = 0; i < places.length; i++) {
    const x = (((i % side) + 0.5) / side) * 2.08 - 1.04,
      y = 1.04 - ((Math.floor(i / side) + 0.5) / side) * 2.08,
      z = Math.sqrt(1 - x * x - y * y);
    if (!(z > 0)) continue;
    const east = Math.atan2(x, z),
      u = east / Math.PI + 0.5,
      v = 0.5 - Math.asin(y) / Math.PI;
    const place =
      Math.min(Math.floor(v * material.h), material.h - 1) * material.w +
      Math.min(Math.floor(u * material.w), material.w - 1);
    places[i] = place;
    const [a, b, c] = material.normals.subarray(3 * place, 3 * place + 3),
      [ex, ez] = [Math.cos(east), -Math.sin(east)], // to the east; north is across it and out of the surface
      [nx, ny, nz] = [-y * Math.sin(east), Math.sqrt(1 - y * y), -y * Math.cos(east)];
    normals.set([a * ex + b * nx + c * x, b * ny + c * y, a * ez + b * nz + c * z], 3 * i);
  }
  return { ...material, w: side, h: side, places, normals, where: null };
}

// Light that is scattered, and light that is mirrored by small facets (GGX), seen from straight above.
function shade(canvas, surface, [lx, ly]) {
  const { w, h, places, normals, albedo, rough, metal, ao, where } = surface,
    ink = canvas.getContext("2d"),
    out = ink.createImageData(w, h);
  let [x, y, z] = [lx, ly, HEIGHT],
    power = 1;
  if (!where) {
    const flat = Math.min(1, 0.95 / (Math.hypot(lx, ly) || 1));
    [x, y, z] = [lx * flat, ly * flat, Math.sqrt(1 - (lx * flat) ** 2 - (ly * flat) ** 2)];
  }
  for (let i = 0; i < places.length; i++) {
    const at = places[i];
    if (at < 0) continue;
    if (where) {
      const [px, py] = where(i);
      [x, y, z] = [lx - px, ly - py, HEIGHT];
      const far = Math.hypot(x, y, z);
      [x, y, z] = [x / far, y / far, z / far];
      power = 1 / (0.4 + far * far);
    }
    const nx = normals[3 * i],
      ny = normals[3 * i + 1],
      nz = Math.max(normals[3 * i + 2], 0.02),
      toLamp = Math.max(nx * x + ny * y + nz * z, 0),
      half = Math.hypot(x, y, z + 1) || 1,
      toHalf = Math.max((nx * x + ny * y + nz * (z + 1)) / half, 0),
      wide = Math.max(rough[at] * rough[at], 0.02) ** 2,
      spread = toHalf * toHalf * (wide - 1) + 1,
      bent = ((rough[at] + 1) * (rough[at] + 1)) / 8,
      facets =
        wide / (Math.PI * spread * spread) / (4 * (nz * (1 - bent) + bent) * (toLamp * (1 - bent) + bent)),
      grazing = (1 - Math.max((z + 1) / half, 0)) ** 5;
    for (let c = 0; c < 3; c++) {
      const own = albedo[3 * at + c],
        base = 0.04 + (own - 0.04) * metal[at],
        mirrored = base + (1 - base) * grazing,
        scattered = ((1 - mirrored) * (1 - metal[at]) * own) / Math.PI;
      const light = (scattered + mirrored * facets) * toLamp * power * 5.5 + own * ao[at] * 0.12;
      out.data[4 * i + c] = 255 * Math.min(light, 1) ** (1 / 2.2);
    }
    out.data[4 * i + 3] = 255;
  }
  ink.putImageData(out, 0, 0);
}
