# MariaDB Connector/C (Debian: libmariadb-dev), which has no package file of its own for CMake.
# Gives the target MariaDB::Connector and the variables MariaDBConnector_FOUND and MariaDBConnector_VERSION.
find_path(MariaDBConnector_INCLUDE_DIR mysql.h PATH_SUFFIXES mariadb)
find_library(MariaDBConnector_LIBRARY mariadb)
mark_as_advanced(MariaDBConnector_INCLUDE_DIR MariaDBConnector_LIBRARY)

if(MariaDBConnector_INCLUDE_DIR AND EXISTS ${MariaDBConnector_INCLUDE_DIR}/mariadb_version.h)
  file(STRINGS ${MariaDBConnector_INCLUDE_DIR}/mariadb_version.h _mariadb_line REGEX "MARIADB_PACKAGE_VERSION +\"")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" MariaDBConnector_VERSION "${_mariadb_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MariaDBConnector REQUIRED_VARS MariaDBConnector_LIBRARY MariaDBConnector_INCLUDE_DIR
                                  VERSION_VAR MariaDBConnector_VERSION)
if(MariaDBConnector_FOUND AND NOT TARGET MariaDB::Connector)
  add_library(MariaDB::Connector UNKNOWN IMPORTED)
  set_target_properties(MariaDB::Connector PROPERTIES IMPORTED_LOCATION ${MariaDBConnector_LIBRARY}
                                                      INTERFACE_INCLUDE_DIRECTORIES ${MariaDBConnector_INCLUDE_DIR})
endif()
