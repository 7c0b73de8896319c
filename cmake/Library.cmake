# keyherd_library(NAME SOURCES ... LINKS ... PRIVATE_LINKS ...)
# One static library per folder. LINKS are the folders it may include (their libraries, public);
# PRIVATE_LINKS are third-party libraries that stay inside the folder's .cpp files.
function(keyherd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(kh_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(kh_${name} PUBLIC kh_settings ${ARG_LINKS}
                                   PRIVATE kh_warnings ${ARG_PRIVATE_LINKS})
endfunction()

# keyherd_test(NAME SOURCES ... LINKS ... [LABELS ...] [ARGS ...]): one Catch2 binary, one ctest entry
# that runs it with ARGS; without a label it is a unit test.
# Tests run two for each core (scripts/test), since most of them wait for other programs nearly all of their
# time; those that compute take the place of two.
set(KEYHERD_BUSY_TEST 2)

function(keyherd_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS;ARGS" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE kh_warnings kh_catch_main kh_test_support ${ARG_LINKS})
  target_compile_definitions(test_${name} PRIVATE
    KEYHERD_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  add_test(NAME ${name} COMMAND test_${name} ${ARG_ARGS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
                       PROCESSORS ${KEYHERD_BUSY_TEST})
endfunction()

# Makes BYTES, a C++ file in the build directory that holds INPUT (relative to the caller's folder, or absolute) as
# NAMESPACE::SYMBOLBytes and SYMBOLSize.
function(keyherd_embed BYTES INPUT NAMESPACE SYMBOL)
  get_filename_component(input "${INPUT}" ABSOLUTE)
  get_filename_component(name "${input}" NAME_WE)
  set(bytes "${CMAKE_CURRENT_BINARY_DIR}/${name}_bytes.cpp")
  set(script "${PROJECT_SOURCE_DIR}/cmake/Embed.cmake")
  add_custom_command(
    OUTPUT "${bytes}"
    COMMAND "${CMAKE_COMMAND}" "-DINPUT=${input}" "-DOUTPUT=${bytes}" "-DNAMESPACE=${NAMESPACE}"
            "-DSYMBOL=${SYMBOL}" -P "${script}"
    DEPENDS "${input}" "${script}"
    VERBATIM)
  set(${BYTES} "${bytes}" PARENT_SCOPE)
endfunction()
