# Finds every third-party library once and gives each a target with one name, whatever the
# distribution calls it. What is missing is reported together, by package name, not one at a time.
set(STRAQ_MISSING "")
macro(straq_missing what package)
  list(APPEND STRAQ_MISSING "${what} (${package})")
endmacro()

find_package(Threads REQUIRED)
find_package(OpenSSL QUIET COMPONENTS Crypto)
if(NOT OpenSSL_FOUND)
  straq_missing("OpenSSL" libssl-dev)
endif()
find_package(CURL QUIET)
if(NOT CURL_FOUND)
  straq_missing("libcurl" libcurl4-openssl-dev)
endif()
find_package(ZLIB QUIET)
if(NOT ZLIB_FOUND)
  straq_missing("zlib" zlib1g-dev)
endif()
find_package(spdlog QUIET)
if(NOT spdlog_FOUND)
  straq_missing("spdlog" libspdlog-dev)
endif()
find_package(nlohmann_json QUIET)
if(NOT nlohmann_json_FOUND)
  straq_missing("nlohmann-json" nlohmann-json3-dev)
endif()
find_package(CLI11 QUIET)
if(NOT CLI11_FOUND)
  straq_missing("CLI11" libcli11-dev)
endif()
# The C interface only: MPI's C++ bindings were removed from the standard.
set(MPI_CXX_SKIP_MPICXX ON)
find_package(MPI QUIET COMPONENTS CXX)
if(NOT MPI_CXX_FOUND)
  straq_missing("MPI" libopenmpi-dev)
endif()
# Debian keeps a serial and several parallel HDF5s apart; the library is used from one rank at a
# time, so the serial one will do and any other does too.
find_package(HDF5 QUIET COMPONENTS C)
if(NOT HDF5_FOUND)
  straq_missing("HDF5" libhdf5-dev)
endif()
find_package(yaml-cpp QUIET)
if(NOT yaml-cpp_FOUND)
  straq_missing("yaml-cpp" libyaml-cpp-dev)
endif()
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(sentencepiece QUIET sentencepiece)  # hints, where it succeeds
  pkg_check_modules(pcre2 QUIET IMPORTED_TARGET libpcre2-8)
  if(NOT pcre2_FOUND)
    straq_missing("PCRE2" libpcre2-dev)
  endif()
  pkg_check_modules(zstd QUIET IMPORTED_TARGET libzstd)
  if(NOT zstd_FOUND)
    straq_missing("zstd" libzstd-dev)
  endif()
else()
  straq_missing("pkg-config" pkg-config)
endif()
# Looked for by its files: Ubuntu 24.04's pkg-config file wants protobuf's, which its own package does
# not bring. The trainer lives in a library of its own.
find_path(SENTENCEPIECE_INCLUDE_DIR sentencepiece_processor.h
          HINTS ${sentencepiece_INCLUDE_DIRS})
find_library(SENTENCEPIECE_LIBRARY sentencepiece HINTS ${sentencepiece_LIBRARY_DIRS})
find_library(SENTENCEPIECE_TRAIN_LIBRARY sentencepiece_train HINTS ${sentencepiece_LIBRARY_DIRS})
if(NOT SENTENCEPIECE_INCLUDE_DIR OR NOT SENTENCEPIECE_LIBRARY)
  straq_missing("sentencepiece" libsentencepiece-dev)
elseif(NOT SENTENCEPIECE_TRAIN_LIBRARY)
  straq_missing("sentencepiece's trainer" libsentencepiece-dev)
endif()
if(STRAQ_TESTS)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    straq_missing("GoogleTest" libgtest-dev)
  endif()
endif()

if(STRAQ_MISSING)
  list(JOIN STRAQ_MISSING "\n  " _missing)
  message(FATAL_ERROR "libraries are missing (Debian and Ubuntu package in brackets):\n"
                      "  ${_missing}\nrun: bash jobs/setup.sh")
endif()

# yaml-cpp exports `yaml-cpp` before 0.8 and `yaml-cpp::yaml-cpp` from then on.
add_library(straq_yaml INTERFACE)
add_library(straq::yaml ALIAS straq_yaml)
if(TARGET yaml-cpp::yaml-cpp)
  target_link_libraries(straq_yaml INTERFACE yaml-cpp::yaml-cpp)
else()
  target_link_libraries(straq_yaml INTERFACE yaml-cpp)
endif()

add_library(straq_sentencepiece INTERFACE)
add_library(straq::sentencepiece ALIAS straq_sentencepiece)
target_include_directories(straq_sentencepiece SYSTEM INTERFACE ${SENTENCEPIECE_INCLUDE_DIR})
target_link_libraries(straq_sentencepiece INTERFACE
  ${SENTENCEPIECE_LIBRARY} ${SENTENCEPIECE_TRAIN_LIBRARY})

# CMake's own FindCURL and libcurl's config file agree on this name.
add_library(straq_curl INTERFACE)
add_library(straq::curl ALIAS straq_curl)
target_link_libraries(straq_curl INTERFACE CURL::libcurl)

add_library(straq_zlib INTERFACE)
add_library(straq::zlib ALIAS straq_zlib)
target_link_libraries(straq_zlib INTERFACE ZLIB::ZLIB)

add_library(straq_zstd INTERFACE)
add_library(straq::zstd ALIAS straq_zstd)
target_link_libraries(straq_zstd INTERFACE PkgConfig::zstd)

add_library(straq_pcre2 INTERFACE)
add_library(straq::pcre2 ALIAS straq_pcre2)
target_link_libraries(straq_pcre2 INTERFACE PkgConfig::pcre2)

add_library(straq_hdf5 INTERFACE)
add_library(straq::hdf5 ALIAS straq_hdf5)
target_include_directories(straq_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS} ${HDF5_INCLUDE_DIRS})
target_link_libraries(straq_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

find_package(Libtorch REQUIRED)
# libtorch's at::parallel_for is a template that runs in parallel only in code compiled with OpenMP.
find_package(OpenMP REQUIRED COMPONENTS CXX)
# Flags instead of its target: that names the compiler's own runtime by its path, and libtorch brings
# the one that both are to use.
target_compile_options(straq_torch INTERFACE ${OpenMP_CXX_FLAGS})
target_link_options(straq_torch INTERFACE ${OpenMP_CXX_FLAGS})
