// The work before and after the network in three kernels, in CUDA C without any header.
//
// NVRTC compiles this file when the engine opens a model (kd_seg_ros/inference/gpu/nvrtc.py). The tests compile
// it for the host as well, with a header in front that defines what CUDA C has and C++ has not, and compare it
// with the nodes of the model file.
//
// Given as macros, so that the loops over classes and taps are unrolled:
//   CLASSES       number of classes C, 1 ... 255
//   IMAGE_ROW_TAPS, IMAGE_COLUMN_TAPS   rows and columns of the camera's image that one pixel of the network's
//                                       image reads: 1 or 2
//   ROW_TAPS, COLUMN_TAPS               rows and columns of the logits that one pixel of the answer reads
//   IMAGE_HALF    1: the network takes float16, 0: float32
//   LOGITS_HALF   1: the network returns float16, 0: float32
//   ADAPTIVE      1: the temperature of a pixel depends on its probability without calibration, 0: it does not
//
// An axis is resized by a table made on the host in double precision: sample i of the result is the sum over
// t < taps of weights[i * taps + t] * source[first[i] + t]. All of a table's reads lie inside the source.

typedef unsigned char byte;

#ifdef __CUDACC_RTC__
// Conversions of float16 by the processor's own instructions: the header cuda_fp16.h is not always installed.
__device__ __forceinline__ float half_to_float(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

__device__ __forceinline__ unsigned short float_to_half(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));  // to the nearest, ties to even, as ONNX's Cast
  return bits;
}
#endif

#if IMAGE_HALF
typedef unsigned short image_t;
__device__ __forceinline__ image_t to_image(float value) { return float_to_half(value); }
#else
typedef float image_t;
__device__ __forceinline__ image_t to_image(float value) { return value; }
#endif

#if LOGITS_HALF
typedef unsigned short logit_t;
__device__ __forceinline__ float from_logit(logit_t value) { return half_to_float(value); }
#else
typedef float logit_t;
__device__ __forceinline__ float from_logit(logit_t value) { return value; }
#endif

// Up to so many classes, a thread keeps the scores of its pixel in registers; of more it computes them twice.
#define KEPT_CLASSES 32

// The network's image: resized, normalised and padded with zeros. One thread makes the three values of a pixel.
//
// image             the camera's, [image height, image_width, 3]
// bgr               1: its channels are blue, green, red; 0: red, green, blue
// normalisation     scale of red, green, blue, then shift of red, green, blue: value = scale * byte + shift
// row_*, column_*   the resizing from the camera's size to working_height x working_width
// top, left         padding above and on the left
// output            planes of red, green, blue, [3, height, width]
extern "C" __global__ void prepare_image(
    const byte* __restrict__ image, int image_width, int bgr, const float* __restrict__ normalisation,
    const int* __restrict__ row_first, const float* __restrict__ row_weights,
    const int* __restrict__ column_first, const float* __restrict__ column_weights,
    int working_height, int working_width, int top, int left, int height, int width,
    image_t* __restrict__ output) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;

  const int row = y - top, column = x - left;
  const bool inside = row >= 0 && row < working_height && column >= 0 && column < working_width;
  const size_t plane = (size_t)height * width, place = (size_t)y * width + x;
  if (!inside) {
    for (int c = 0; c < 3; c++) output[c * plane + place] = to_image(0.0f);
    return;
  }
  const byte* corner = image + ((size_t)row_first[row] * image_width + column_first[column]) * 3;
  for (int c = 0; c < 3; c++) {
    const int channel = bgr ? 2 - c : c;
    float value = 0.0f;
    for (int i = 0; i < IMAGE_ROW_TAPS; i++) {
      float blended = 0.0f;
      for (int j = 0; j < IMAGE_COLUMN_TAPS; j++) {
        const byte raw = corner[((size_t)i * image_width + j) * 3 + channel];
        const float normal = normalisation[c] * (float)raw + normalisation[3 + c];
        blended += column_weights[column * IMAGE_COLUMN_TAPS + j] * normal;
      }
      value += row_weights[row * IMAGE_ROW_TAPS + i] * blended;
    }
    output[c * plane + place] = to_image(value);
  }
}

// The largest calibrated logit of each pixel of the network's answer. Subtracting it before the resizing makes
// rounding errors small where they matter, near the best class; softmax does not notice, because the weights of
// a resizing add up to 1.
//
// logits         [C, height, width]; pixels = height * width
// scale, shift   [C]: calibrated logit = scale * logit + shift
// best           [height, width]
extern "C" __global__ void best_logit(
    const logit_t* __restrict__ logits, int pixels, const float* __restrict__ scale,
    const float* __restrict__ shift, float* __restrict__ best) {
  const int place = blockIdx.x * blockDim.x + threadIdx.x;
  if (place >= pixels) return;
  float largest = scale[0] * from_logit(logits[place]) + shift[0];
  for (int c = 1; c < CLASSES; c++) {
    largest = fmaxf(largest, scale[c] * from_logit(logits[(size_t)c * pixels + place]) + shift[c]);
  }
  best[place] = largest;
}

// Score of one class at one pixel of the answer: its calibrated logit, resized, below the best of the sources.
__device__ __forceinline__ float score_of(
    const logit_t* __restrict__ plane, int width, float scale, float shift,
    const float best[ROW_TAPS][COLUMN_TAPS], const float rows[ROW_TAPS], const float columns[COLUMN_TAPS]) {
  float score = 0.0f;
  for (int i = 0; i < ROW_TAPS; i++) {
    float blended = 0.0f;
    for (int j = 0; j < COLUMN_TAPS; j++) {
      const float logit = scale * from_logit(plane[(size_t)i * width + j]) + shift;
      blended += columns[j] * (logit - best[i][j]);
    }
    score += rows[i] * blended;
  }
  return score;
}

// Class, confidence and probability of each pixel of the answer. One thread makes one pixel.
//
// logits, scale, shift, best   as in best_logit, [C, height, width] and so on
// inverse_temperature          [C]: the scores of a pixel are multiplied by that of its best class
// exponent                     if ADAPTIVE, also by (sum over c of exp(score_c - largest score))^exponent
// row_*, column_*              the resizing from height x width to output_height x output_width
// levels                       [256]: a pixel whose confidence is below that of its class becomes ignore_id
// mask                         class of the largest score; of equal ones the first
// confidence                   round(255 * p), halves to even; 0 where p is not a number
// probability                  p = 1 / sum over c of exp((score_c - largest score) * inverse temperature);
//                              not a number where a logit is not finite. Null: not wanted
extern "C" __global__ void answer(
    const logit_t* __restrict__ logits, int height, int width, const float* __restrict__ scale,
    const float* __restrict__ shift, const float* __restrict__ inverse_temperature,
    float exponent, const float* __restrict__ best, const int* __restrict__ row_first,
    const float* __restrict__ row_weights, const int* __restrict__ column_first,
    const float* __restrict__ column_weights, int output_height,
    int output_width, const byte* __restrict__ levels, int ignore_id, byte* __restrict__ mask,
    byte* __restrict__ confidence, float* __restrict__ probability) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= output_width || y >= output_height) return;

  // What all classes of this pixel have in common: the weights, and the best logits of the sources.
  const size_t pixels = (size_t)height * width;
  const size_t corner = (size_t)row_first[y] * width + column_first[x];
  float rows[ROW_TAPS], columns[COLUMN_TAPS], best_here[ROW_TAPS][COLUMN_TAPS];
  for (int i = 0; i < ROW_TAPS; i++) rows[i] = row_weights[y * ROW_TAPS + i];
  for (int j = 0; j < COLUMN_TAPS; j++) columns[j] = column_weights[x * COLUMN_TAPS + j];
  for (int i = 0; i < ROW_TAPS; i++)
    for (int j = 0; j < COLUMN_TAPS; j++) best_here[i][j] = best[corner + (size_t)i * width + j];

  // First pass: the best class.
#if CLASSES <= KEPT_CLASSES
  float scores[CLASSES];
#endif
  float top = 0.0f;
  int found = 0;
  for (int c = 0; c < CLASSES; c++) {
    const float score =
        score_of(logits + c * pixels + corner, width, scale[c], shift[c], best_here, rows, columns);
#if CLASSES <= KEPT_CLASSES
    scores[c] = score;
#endif
    const bool first_number = top != top && score == score;  // whatever is a number is larger than what is none
    if (c == 0 || score > top || first_number) {
      top = score;
      found = c;
    }
  }

  // Second pass: the softmax at that class. Each term is at most 1. Where the temperature depends on the
  // probability without calibration, that is found first, in the same way.
  float inverse = ADAPTIVE ? 1.0f : inverse_temperature[found];
  float total = 0.0f;
  for (int round = 0; round <= ADAPTIVE; round++) {
    if (round == 1) inverse = inverse_temperature[found] * powf(total, exponent);
    total = 0.0f;
    for (int c = 0; c < CLASSES; c++) {
#if CLASSES <= KEPT_CLASSES
      const float score = scores[c];
#else
      const float score =
          score_of(logits + c * pixels + corner, width, scale[c], shift[c], best_here, rows, columns);
#endif
      total += expf((score - top) * inverse);
    }
  }
  const float p = 1.0f / total;
  const byte rounded = total >= 1.0f ? (byte)rintf(255.0f * p) : (byte)0;
  const size_t place = (size_t)y * output_width + x;
  mask[place] = rounded < levels[found] ? (byte)ignore_id : (byte)found;
  confidence[place] = rounded;
  if (probability) probability[place] = p;
}
