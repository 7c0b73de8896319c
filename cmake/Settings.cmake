# How our own code is compiled. Third-party headers are SYSTEM and see none of the warnings.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths relative to the tree: another clone, or another build folder, finds what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
      CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
endif()

# Line numbers for backtraces; full debug information would cost a quarter of the compile time.
set(CMAKE_CXX_FLAGS_DEBUG "-g1" CACHE STRING "" FORCE)

# Most of a small file's compile time is the headers it shares with its neighbours, so a folder is
# compiled eight files at a time: a quarter of the time. A name in an anonymous namespace is therefore
# used once in a folder. The tidy preset compiles file by file and finds includes that are missing.
option(KEYHERD_UNITY "Compile a folder's files together" ON)
set(CMAKE_UNITY_BUILD "${KEYHERD_UNITY}")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

option(KEYHERD_WERROR "Treat warnings as errors (the dev preset does)" OFF)
set(KEYHERD_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

add_library(kh_settings INTERFACE)
target_include_directories(kh_settings INTERFACE "${PROJECT_SOURCE_DIR}/agent")
target_compile_options(kh_settings INTERFACE
  $<$<CONFIG:Debug>:-Og>
  -fno-omit-frame-pointer -fstack-protector-strong)
# Bounds are checked in every build: a wrong index ends the agent, it does not read a secret.
target_compile_definitions(kh_settings INTERFACE _GLIBCXX_ASSERTIONS
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
target_link_options(kh_settings INTERFACE -Wl,-z,relro,-z,now)
if(KEYHERD_SANITIZE)
  target_compile_options(kh_settings INTERFACE -fsanitize=${KEYHERD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(kh_settings INTERFACE -fsanitize=${KEYHERD_SANITIZE})
endif()

add_library(kh_warnings INTERFACE)
target_compile_options(kh_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  # A class may hold what is local to its file: with KEYHERD_UNITY, GCC takes that file for a header.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>
  -Wswitch-enum -Wold-style-cast -Wcast-qual -Wformat=2 -Wundef
  # GCC 12 sees uninitialised values inside std::optional and std::stop_token, and overlapping copies
  # in `"text" + string` (its bug 105651), where there are none.
  $<$<CXX_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wno-maybe-uninitialized -Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<BOOL:${KEYHERD_WERROR}>:-Werror>)
