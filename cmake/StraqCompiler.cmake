# Warnings and flags that every target of the project shares.
add_library(straq_flags INTERFACE)
target_compile_options(straq_flags INTERFACE -Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  # GCC 12 and 13 warn about correct std::string code (bugs 105651 and 105329), most of all
  # where <string> comes out of a precompiled header.
  target_compile_options(straq_flags INTERFACE -Wno-restrict -Wno-stringop-overflow
                         -Wno-array-bounds)
endif()
if(STRAQ_SANITIZE STREQUAL "thread")
  target_compile_options(straq_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(straq_flags INTERFACE -fsanitize=thread)
elseif(STRAQ_SANITIZE)
  target_compile_options(straq_flags INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer)
  target_link_options(straq_flags INTERFACE -fsanitize=address,undefined)
endif()

# ccache makes a second clean build a matter of seconds.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers carry time stamps that ccache must be told to overlook.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
endif()
