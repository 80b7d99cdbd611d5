// A detector of `task=export format=onnx` in a browser: docs/deploy.md.
import * as ort from "./ort.wasm.bundle.min.mjs";

const ONE = 2 ** 11; // of fixed-point numbers

/**
 * Loads detector.onnx.
 *
 * @param {string} address of the file.
 * @returns {Promise<(source: ImageBitmapSource) => Promise<{class: string, score: number, box: number[]}[]>>} what
 *   detects in a Blob, a File, an image, a canvas or a video's frame: the surest first, as far as the file gives them,
 *   boxes as xmin, ymin, xmax, ymax in pixels of the upright image.
 */
export async function loadDetector(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  const file = new Uint8Array(await response.arrayBuffer());
  const { class_names: names, image_size: size } = metadataOf(file);
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return async (source) => {
    const { data, width, height } = await pixelsOf(source);
    const images = new ort.Tensor("uint8", resized(data, width, height, size), [1, size, size, 3]);
    const { boxes, labels, scores, count } = await session.run({ images });
    return Array.from({ length: count.data[0] }, (_, i) => {
      const [top, left, bottom, right] = boxes.data.subarray(4 * i, 4 * i + 4);
      const box = [left * width, top * height, right * width, bottom * height];
      return { class: names[labels.data[i]], score: scores.data[i], box };
    });
  };
}

/** RGBA values of an image, turned as its EXIF says, its colour profile left aside as in training. */
async function pixelsOf(source) {
  const image = await createImageBitmap(source, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(image, 0, 0);
  image.close();
  return canvas.getImageData(0, 0, canvas.canvas.width, canvas.canvas.height);
}

/**
 * RGB values of (size, size) pixels from RGBA ones, without keeping the aspect: bilinear between centres of pixels and
 * with no filter before it, in fixed-point numbers: OpenCV's INTER_LINEAR, which the detector was trained with. A canvas
 * resizes otherwise.
 */
function resized(data, width, height, size) {
  const columns = neighbours(width, size);
  const small = new Uint8Array(size * size * 3);
  let place = 0;
  for (const [top, bottom, down] of neighbours(height, size)) {
    for (const [left, right, across] of columns) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (row, column) => data[4 * (row * width + column) + channel];
        const upper = (value(top, left) * (ONE - across) + value(top, right) * across) >> 4;
        const lower = (value(bottom, left) * (ONE - across) + value(bottom, right) * across) >> 4;
        small[place++] = (((upper * (ONE - down)) >> 16) + ((lower * down) >> 16) + 2) >> 2;
      }
    }
  }
  return small;
}

/** For each of `size` places along `length` pixels: the pixel before, the one after, and the share of the latter. */
function neighbours(length, size) {
  return Array.from({ length: size }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) * length) / size - 0.5, 0), length - 1);
    const before = Math.floor(place);
    return [before, Math.min(before + 1, length - 1), Math.round((place - before) * ONE)];
  });
}

/**
 * The metadata that task=export writes, which onnxruntime-web does not tell: field 14 of ONNX's ModelProto, pairs of a
 * key (1) and a value (2), in protobuf's wire format.
 */
function metadataOf(file) {
  const text = new TextDecoder();
  for (const [field, content] of fieldsOf(file)) {
    if (field !== 14) continue;
    const pair = new Map(fieldsOf(content));
    if (text.decode(pair.get(1)) === "ssd") return JSON.parse(text.decode(pair.get(2)));
  }
  throw new Error("no file of task=export format=onnx: it has no metadata of the detector");
}

/** The fields of a protobuf message that has numbers and parts with a length only: [number, bytes of the part]. */
function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const length = varint();
    if (tag % 8 === 2) yield [Math.floor(tag / 8), bytes.subarray(at, (at += length))];
    else if (tag % 8 !== 0) return;
  }
}
