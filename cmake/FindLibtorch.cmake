# Finds libtorch in a Python wheel or in an unpacked archive and defines `straq::torch`.
#
# PyTorch's own package file insists on a CUDA toolkit when the wheel was built with CUDA, also
# for a program that uses the CPU libraries alone; this module links what is asked for and no more.
#
# Input    LIBTORCH_ROOT   the folder that holds include/ and lib/ (…/site-packages/torch, or
#                          libtorch/). Default: the environment variable, then .deps/venv.
#          STRAQ_CUDA      also link the CUDA libraries and NCCL
# Result   straq::torch, Libtorch_VERSION, STRAQ_HAVE_NCCL
set(LIBTORCH_ROOT "$ENV{LIBTORCH_ROOT}" CACHE PATH "folder that holds libtorch's include/ and lib/")
if(LIBTORCH_ROOT)
  set(_libtorch_hints ${LIBTORCH_ROOT})
else()
  file(GLOB _libtorch_hints
       ${CMAKE_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch
       ${CMAKE_SOURCE_DIR}/.deps/libtorch)
endif()
# Another root, or a file that has gone, makes what an earlier configuration found worthless.
if(NOT "${_libtorch_hints}" STREQUAL "${LIBTORCH_SEARCHED}" OR NOT EXISTS "${LIBTORCH_CPU_LIBRARY}")
  foreach(_v INCLUDE_DIR CPU_LIBRARY C10_LIBRARY CUDA_LIBRARY C10_CUDA_LIBRARY NCCL_INCLUDE_DIR
             NCCL_LIBRARY CUDART_INCLUDE_DIR CUDART_LIBRARY CRT_INCLUDE_DIR)
    unset(LIBTORCH_${_v} CACHE)
  endforeach()
endif()
set(LIBTORCH_SEARCHED "${_libtorch_hints}" CACHE INTERNAL "where libtorch was looked for")

find_path(LIBTORCH_INCLUDE_DIR ATen/ATen.h HINTS ${_libtorch_hints} PATH_SUFFIXES include
          NO_DEFAULT_PATH)
find_library(LIBTORCH_CPU_LIBRARY torch_cpu HINTS ${_libtorch_hints} PATH_SUFFIXES lib
             NO_DEFAULT_PATH)
find_library(LIBTORCH_C10_LIBRARY c10 HINTS ${_libtorch_hints} PATH_SUFFIXES lib NO_DEFAULT_PATH)
# The version moved to a header of its own in 2.9.
set(Libtorch_VERSION "")
foreach(_h torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(NOT Libtorch_VERSION AND LIBTORCH_INCLUDE_DIR AND EXISTS ${LIBTORCH_INCLUDE_DIR}/${_h})
    file(STRINGS ${LIBTORCH_INCLUDE_DIR}/${_h} _v
         REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX REPLACE "[^;]*_(MAJOR|MINOR|PATCH) ([0-9]+)" "\\2" _v "${_v}")
    string(REPLACE ";" "." Libtorch_VERSION "${_v}")
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS LIBTORCH_CPU_LIBRARY LIBTORCH_C10_LIBRARY LIBTORCH_INCLUDE_DIR
  VERSION_VAR Libtorch_VERSION
  REASON_FAILURE_MESSAGE
    "run jobs/setup.sh, or pass -DLIBTORCH_ROOT=<folder with include/ and lib/>")

# For jobs/pack.sh: the packed program wants the same one where it runs.
set(Libtorch_VERSION "${Libtorch_VERSION}" CACHE INTERNAL "version of the libtorch that was found")

get_filename_component(_libtorch_lib ${LIBTORCH_CPU_LIBRARY} DIRECTORY)
add_library(straq_torch INTERFACE)
add_library(straq::torch ALIAS straq_torch)
# Searched last: libtorch ships headers of other projects without their libraries, among them a
# newer fmt, which would be compiled against and then missed by the linker.
foreach(_dir ${LIBTORCH_INCLUDE_DIR} ${LIBTORCH_INCLUDE_DIR}/torch/csrc/api/include)
  target_compile_options(straq_torch INTERFACE "SHELL:-idirafter \"${_dir}\"")
endforeach()
target_link_libraries(straq_torch INTERFACE
  ${LIBTORCH_CPU_LIBRARY} ${LIBTORCH_C10_LIBRARY} Threads::Threads)
# libtorch_cpu and libtorch_cuda register their operators when they are loaded, so the linker must
# keep them although it sees no use of theirs. One option each: CMake merges equal flags, and a
# second pair of --no-as-needed and --as-needed around a library would vanish.
function(straq_always_link library)
  target_link_options(straq_torch INTERFACE "LINKER:--no-as-needed,${library},--as-needed")
endfunction()
straq_always_link(${LIBTORCH_CPU_LIBRARY})
target_link_options(straq_torch INTERFACE "-Wl,-rpath,${_libtorch_lib}")
# The wheel's libraries find their CUDA runtime by their own relative RPATH.
target_link_options(straq_torch INTERFACE "-Wl,--allow-shlib-undefined")

set(STRAQ_HAVE_NCCL OFF)
if(STRAQ_CUDA)
  find_library(LIBTORCH_CUDA_LIBRARY torch_cuda HINTS ${_libtorch_lib} NO_DEFAULT_PATH)
  find_library(LIBTORCH_C10_CUDA_LIBRARY c10_cuda HINTS ${_libtorch_lib} NO_DEFAULT_PATH)
  if(NOT LIBTORCH_CUDA_LIBRARY OR NOT LIBTORCH_C10_CUDA_LIBRARY)
    message(FATAL_ERROR "the libtorch in ${_libtorch_lib} has no CUDA libraries; "
                        "run jobs/setup.sh --cuda, or configure with the preset cpu")
  endif()
  # cuda_runtime.h and libcudart: from the packages that the wheel brought, else from a toolkit. In
  # this order because libtorch_cuda loads the wheel's, and a process should hold one CUDA runtime
  # only; a toolkit on the machine may be of another version. Host code needs no more than these two.
  file(GLOB _wheel_cuda ${_libtorch_lib}/../../nvidia/cu1* ${_libtorch_lib}/../../nvidia/cuda_runtime)
  find_path(LIBTORCH_CUDART_INCLUDE_DIR cuda_runtime_api.h HINTS ${_wheel_cuda}
            PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_library(LIBTORCH_CUDART_LIBRARY NAMES libcudart.so.13 libcudart.so.12 cudart
               HINTS ${_wheel_cuda} PATH_SUFFIXES lib NO_DEFAULT_PATH)
  # The wheels of CUDA 13 leave out the folder crt/ that their headers include; a toolkit has it, and
  # so has Triton, which torch's wheel brings.
  find_path(LIBTORCH_CRT_INCLUDE_DIR crt/host_defines.h
            HINTS ${LIBTORCH_CUDART_INCLUDE_DIR} ${CUDAToolkit_ROOT}/include $ENV{CUDA_HOME}/include
                  ${_libtorch_lib}/../../triton/backends/nvidia/include /usr/local/cuda/include
            NO_DEFAULT_PATH)
  if(LIBTORCH_CUDART_INCLUDE_DIR AND LIBTORCH_CUDART_LIBRARY AND LIBTORCH_CRT_INCLUDE_DIR)
    target_include_directories(straq_torch SYSTEM INTERFACE ${LIBTORCH_CUDART_INCLUDE_DIR}
                                                            ${LIBTORCH_CRT_INCLUDE_DIR})
    set(_cudart ${LIBTORCH_CUDART_LIBRARY})
    get_filename_component(_cudart_lib ${LIBTORCH_CUDART_LIBRARY} DIRECTORY)
    target_link_options(straq_torch INTERFACE "-Wl,-rpath,${_cudart_lib}")
  else()
    find_package(CUDAToolkit QUIET)
    if(NOT TARGET CUDA::cudart)
      message(FATAL_ERROR "no CUDA runtime beside libtorch, and no CUDA toolkit; put nvcc on PATH, "
                          "pass -DCUDAToolkit_ROOT=<folder>, or configure with the preset cpu")
    endif()
    set(_cudart CUDA::cudart)
  endif()
  target_link_libraries(straq_torch INTERFACE
    ${LIBTORCH_CUDA_LIBRARY} ${LIBTORCH_C10_CUDA_LIBRARY} ${_cudart})
  straq_always_link(${LIBTORCH_CUDA_LIBRARY})
  target_compile_definitions(straq_torch INTERFACE STRAQ_CUDA=1)

  # The wheel's NCCL first: libtorch_cuda uses it, and a process should hold one NCCL only.
  file(GLOB _wheel_nccl ${_libtorch_lib}/../../nvidia/nccl)
  find_path(LIBTORCH_NCCL_INCLUDE_DIR nccl.h HINTS ${_wheel_nccl} $ENV{NCCL_ROOT}
            PATH_SUFFIXES include)
  find_library(LIBTORCH_NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS ${_wheel_nccl} $ENV{NCCL_ROOT}
               PATH_SUFFIXES lib)
  if(LIBTORCH_NCCL_INCLUDE_DIR AND LIBTORCH_NCCL_LIBRARY)
    set(STRAQ_HAVE_NCCL ON)
    target_include_directories(straq_torch SYSTEM INTERFACE ${LIBTORCH_NCCL_INCLUDE_DIR})
    target_link_libraries(straq_torch INTERFACE ${LIBTORCH_NCCL_LIBRARY})
    get_filename_component(_nccl_lib ${LIBTORCH_NCCL_LIBRARY} DIRECTORY)
    target_link_options(straq_torch INTERFACE "-Wl,-rpath,${_nccl_lib}")
    target_compile_definitions(straq_torch INTERFACE STRAQ_NCCL=1)
  else()
    message(WARNING "NCCL was not found: learners on GPUs will reduce gradients over MPI")
  endif()
endif()
