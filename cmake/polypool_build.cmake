# How every target of the project is compiled.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(polypool_warnings INTERFACE)
target_compile_options(polypool_warnings INTERFACE -Wall -Wextra -Wpedantic -Wold-style-cast -Wcast-qual -Wextra-semi
                                                   $<$<BOOL:${POLYPOOL_WERROR}>:-Werror>)

# polypool_library(NAME ROOMS... ): a static library of all sources of these folders of src/.
function(polypool_library name)
  set(sources)
  foreach(room IN LISTS ARGN)
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cpp)
    list(APPEND sources ${found})
  endforeach()
  add_library(polypool_${name} STATIC ${sources})
  add_library(polypool::${name} ALIAS polypool_${name})
  set_target_properties(polypool_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME polypool_${name})
  target_include_directories(polypool_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                     $<INSTALL_INTERFACE:include>
                                             PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_compile_features(polypool_${name} PUBLIC cxx_std_23)
  target_link_libraries(polypool_${name} PRIVATE $<BUILD_INTERFACE:polypool_warnings>)
  set_property(GLOBAL APPEND PROPERTY POLYPOOL_LIBRARIES polypool_${name})
endfunction()
