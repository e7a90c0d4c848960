// Compiles kernels.cu as C++ for the host: what CUDA C has and C++ has not, and a loop over the grid.
// KERNELS is the path of kernels.cu; its other macros are given as for NVRTC.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline

struct Index {
  int x, y;
};
static Index threadIdx, blockIdx, blockDim;

// float16 to float: the exponents' ranges differ, subnormal numbers of float16 are normal ones of float.
static inline float half_to_float(unsigned short bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp((float)fraction, -24);
  return sign * std::ldexp((float)(1024 + fraction), exponent - 25);
}

// float to float16, to the nearest, ties to even: nearbyint rounds so the number of float16's steps.
static inline unsigned short float_to_half(float value) {
  const unsigned short sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return sign | 0x7e00;
  const float size = std::fabs(value);
  if (size >= 65520.0f) return sign | 0x7c00;
  int exponent;
  std::frexp(size, &exponent);
  const int step = exponent - 11 > -24 ? exponent - 11 : -24;
  const unsigned steps = (unsigned)std::nearbyint(std::ldexp(size, -step));
  // Steps of a normal number are 1024 ... 2048; 2048 carries into the exponent, as it must.
  return sign | (steps < 1024 ? steps : ((step + 24) << 10) + steps);
}

#include KERNELS

template <class... Arguments, std::size_t... I>
static void over_grid(void (*kernel)(Arguments...), const int* shape, void** pointers, std::index_sequence<I...>) {
  blockDim = {shape[2], shape[3]};
  for (blockIdx.y = 0; blockIdx.y < shape[1]; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < shape[0]; blockIdx.x++)
      for (threadIdx.y = 0; threadIdx.y < shape[3]; threadIdx.y++)
        for (threadIdx.x = 0; threadIdx.x < shape[2]; threadIdx.x++)
          kernel(*static_cast<std::remove_reference_t<Arguments>*>(pointers[I])...);
}

template <class... Arguments>
static void run(void (*kernel)(Arguments...), const int* shape, void** pointers) {
  over_grid(kernel, shape, pointers, std::index_sequence_for<Arguments...>{});
}

// Launches a kernel by its name. shape: blocks in x and y, threads of a block in x and y.
// pointers: the addresses of the arguments, as cuLaunchKernel takes them.
extern "C" int launch(const char* name, const int* shape, void** pointers) {
  if (!std::strcmp(name, "prepare_image")) run(prepare_image, shape, pointers);
  else if (!std::strcmp(name, "best_logit")) run(best_logit, shape, pointers);
  else if (!std::strcmp(name, "answer")) run(answer, shape, pointers);
  else return 1;
  return 0;
}

extern "C" float to_float(unsigned short bits) { return half_to_float(bits); }
extern "C" unsigned short to_half(float value) { return float_to_half(value); }
