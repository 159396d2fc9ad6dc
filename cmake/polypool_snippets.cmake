# polypool_doc_snippets(FILE.md): the marked code blocks of a document become tests; see tools/extract_snippets.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(polypool_doc_snippets document)
  cmake_path(ABSOLUTE_PATH document BASE_DIRECTORY ${PROJECT_SOURCE_DIR} NORMALIZE)
  cmake_path(RELATIVE_PATH document BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name)
  string(MAKE_C_IDENTIFIER ${name} name)
  set(folder ${PROJECT_BINARY_DIR}/snippets/${name})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${document} ${PROJECT_SOURCE_DIR}/tools/extract_snippets)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/extract_snippets ${document} ${folder}
                  COMMAND_ERROR_IS_FATAL ANY)
  include(${folder}/snippets.cmake)
  if(snippets_has_cpp)
    add_executable(snippets_${name} ${folder}/snippets.cpp)
    find_package(PostgreSQL QUIET)  # examples show native handles
    target_link_libraries(snippets_${name} PRIVATE polypool_polypool polypool_testing polypool_warnings
                                                   $<TARGET_NAME_IF_EXISTS:PostgreSQL::PostgreSQL>)
    # Examples leave results unused and variables unread.
    target_compile_options(snippets_${name} PRIVATE -Wno-unused -Wno-unused-result)
  endif()
endfunction()

# One test; called by the snippets.cmake that tools/extract_snippets writes, inside of polypool_doc_snippets.
macro(polypool_snippet_test kind line what output variables files)
  set(test docs.${name}.line_${line})
  set(runner ${PROJECT_SOURCE_DIR}/tools/run_snippet $<TARGET_FILE:polypool_command>)
  if("${kind}" STREQUAL "cpp")
    add_test(NAME ${test} COMMAND ${runner} "${output}" "" $<TARGET_FILE:snippets_${name}> ${line})
  elseif("${kind}" STREQUAL "config")
    add_test(NAME ${test} COMMAND ${runner} "${output}" "" polypool check "${what}")
  else()
    add_test(NAME ${test} COMMAND ${runner} "${output}" "${files}" bash -euo pipefail "${what}")
  endif()
  set_tests_properties(${test} PROPERTIES LABELS "docs;build" TIMEOUT 60 ENVIRONMENT "${variables}")
endmacro()
