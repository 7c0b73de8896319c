# Version and commit for `keyherd version` and keyherd_build_info.
find_package(Git QUIET)
set(KEYHERD_COMMIT "unknown")
if(Git_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(COMMAND "${GIT_EXECUTABLE}" rev-parse --short=12 HEAD
                  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(commit)
    set(KEYHERD_COMMIT "${commit}")
  endif()
endif()
