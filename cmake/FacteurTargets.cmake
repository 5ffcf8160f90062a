# How every folder of src/ becomes a target. A folder says only its name and what it may use:
#
#   facteur_library(mail USES base)              all *.cc but *_test.cc, *_fuzz.cc, *_bench.cc
#   facteur_daemon(smtpd USES smtp ipc service)  main.cc is the program, the rest a library for its tests
#   facteur_tool(postmap USES table)             the same, installed into sbin
#
# Tests (*_test.cc) become one GoogleTest program a folder, fuzz targets (*_fuzz.cc) one program each, and measurements
# (*_bench.cc) one Google Benchmark program each, built when named: ninja config_bench.

include(GNUInstallDirs)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(Protobuf REQUIRED)
find_package(benchmark QUIET)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# One precompiled header serves libraries and programs alike only when all are compiled alike.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

option(FACTEUR_FUZZ "Build the libFuzzer targets instead of the programs" OFF)
set(FACTEUR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)

add_library(facteur_options INTERFACE)
target_compile_options(facteur_options INTERFACE
  -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -Wvla -Wno-missing-field-initializers
  -fstack-protector-strong -fcf-protection -fno-strict-aliasing -fPIC
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_compile_definitions(facteur_options INTERFACE _GLIBCXX_ASSERTIONS FMT_HEADER_ONLY=0)
target_include_directories(facteur_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(facteur_options INTERFACE fmt::fmt Threads::Threads)
target_link_options(facteur_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
if(MOLD_PROGRAM)
  target_link_options(facteur_options INTERFACE -fuse-ld=mold)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(facteur_options INTERFACE -fcoroutines -fpch-preprocess)
else()
  target_compile_options(facteur_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()
if(FACTEUR_SANITIZE)
  target_compile_options(facteur_options INTERFACE
    -fsanitize=${FACTEUR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined -U_FORTIFY_SOURCE)
  target_link_options(facteur_options INTERFACE -fsanitize=${FACTEUR_SANITIZE})
else()
  target_compile_options(facteur_options INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
  target_link_options(facteur_options INTERFACE -pie)
endif()

if(FACTEUR_FUZZ) # the precompiled header must be instrumented as its users are
  target_compile_options(facteur_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# One precompiled header of the standard library for every target.
file(WRITE "${CMAKE_BINARY_DIR}/pch_anchor.cc.in" "// carries the precompiled header\n")
configure_file("${CMAKE_BINARY_DIR}/pch_anchor.cc.in" "${CMAKE_BINARY_DIR}/pch_anchor.cc" COPYONLY)
add_library(facteur_pch STATIC "${CMAKE_BINARY_DIR}/pch_anchor.cc")
target_link_libraries(facteur_pch PUBLIC facteur_options)
target_precompile_headers(facteur_pch PRIVATE
  <algorithm> <array> <chrono> <coroutine> <cstdint> <cstring> <expected> <functional> <map> <memory> <optional>
  <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

function(facteur_split_sources out_code out_tests out_fuzz)
  file(GLOB all CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc" "${CMAKE_CURRENT_SOURCE_DIR}/restrictions/*.cc")
  set(tests ${all})
  set(fuzz ${all})
  set(code ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzz INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER code EXCLUDE REGEX "(_test|_fuzz|_bench|/main)\\.cc$")
  set(${out_code} ${code} PARENT_SCOPE)
  set(${out_tests} ${tests} PARENT_SCOPE)
  set(${out_fuzz} ${fuzz} PARENT_SCOPE)
endfunction()

# What ctest runs, without the programs.
add_custom_target(unit_tests)

function(facteur_add_tests name)
  facteur_split_sources(code tests fuzz)
  if(tests AND NOT FACTEUR_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name}_lib GTest::gtest GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM facteur_pch)
    add_test(NAME ${name} COMMAND ${name}_test)
    add_dependencies(unit_tests ${name}_test)
  endif()
  if(FACTEUR_FUZZ)
    foreach(source ${fuzz})
      get_filename_component(stem ${source} NAME_WE)
      add_executable(${name}_${stem} ${source})
      target_link_libraries(${name}_${stem} PRIVATE ${name}_lib)
      target_link_options(${name}_${stem} PRIVATE -fsanitize=fuzzer)
      target_precompile_headers(${name}_${stem} REUSE_FROM facteur_pch)
    endforeach()
  endif()
endfunction()

# proto is a file of the current folder; programs include it as "folder/name.pb.h".
function(facteur_protobuf target proto)
  file(RELATIVE_PATH path "${CMAKE_SOURCE_DIR}/src" "${CMAKE_CURRENT_SOURCE_DIR}/${proto}")
  string(REGEX REPLACE "\\.proto$" ".pb" stem "${CMAKE_BINARY_DIR}/proto/${path}")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/proto")
  add_custom_command(
    OUTPUT ${stem}.cc ${stem}.h
    COMMAND protobuf::protoc -I ${CMAKE_SOURCE_DIR}/src --cpp_out=${CMAKE_BINARY_DIR}/proto ${CMAKE_SOURCE_DIR}/src/${path}
    DEPENDS ${CMAKE_SOURCE_DIR}/src/${path} protobuf::protoc)
  target_sources(${target} PRIVATE ${stem}.cc ${stem}.h)
  target_include_directories(${target} PUBLIC ${CMAKE_BINARY_DIR}/proto)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf-lite)
endfunction()

function(facteur_module name)
  cmake_parse_arguments(ARG "" "" "USES;LINK;PROTO" ${ARGN})
  facteur_split_sources(code tests fuzz)
  if(NOT code AND NOT ARG_PROTO)
    add_library(${name}_lib INTERFACE)
    target_link_libraries(${name}_lib INTERFACE facteur_options)
    set(scope INTERFACE)
  else()
    add_library(${name}_lib STATIC ${code})
    target_link_libraries(${name}_lib PUBLIC facteur_options)
    foreach(proto ${ARG_PROTO})
      facteur_protobuf(${name}_lib ${proto})
    endforeach()
    target_precompile_headers(${name}_lib REUSE_FROM facteur_pch)
    set(scope PUBLIC)
  endif()
  foreach(used ${ARG_USES})
    target_link_libraries(${name}_lib ${scope} ${used}_lib)
  endforeach()
  target_link_libraries(${name}_lib ${scope} ${ARG_LINK})
endfunction()

function(facteur_add_measurements name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*_bench.cc")
  if(NOT benchmark_FOUND OR FACTEUR_FUZZ)
    return()
  endif()
  foreach(source ${sources})
    get_filename_component(stem ${source} NAME_WE)
    add_executable(${stem} EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${stem} PRIVATE ${name}_lib benchmark::benchmark)
    target_precompile_headers(${stem} REUSE_FROM facteur_pch)
  endforeach()
endfunction()

function(facteur_library name)
  facteur_module(${name} ${ARGN})
  facteur_add_tests(${name})
  facteur_add_measurements(${name})
endfunction()

# What an installation needs, without the tests.
add_custom_target(programs)

function(facteur_program name destination)
  set(part ${name})
  if(TARGET ${name}_lib) # a library of the same name: the smtp protocol and the smtp client
    set(part ${name}_program)
  endif()
  facteur_module(${part} ${ARGN})
  if(NOT FACTEUR_FUZZ)
    add_executable(${name} main.cc)
    target_link_libraries(${name} PRIVATE ${part}_lib)
    target_precompile_headers(${name} REUSE_FROM facteur_pch)
    add_dependencies(programs ${name})
    install(TARGETS ${name} RUNTIME DESTINATION ${destination})
  endif()
  facteur_add_tests(${part})
  facteur_add_measurements(${part})
endfunction()

function(facteur_daemon name)
  facteur_program(${name} libexec/postfix ${ARGN})
endfunction()

function(facteur_tool name)
  facteur_program(${name} sbin ${ARGN})
endfunction()
