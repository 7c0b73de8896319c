# What `cmake --install` puts where, and the Debian package that `cpack` makes of it
# (`scripts/package` does both). The binary, its manual pages and completions: agent/cli.
set(KEYHERD_DATA "${CMAKE_INSTALL_DATADIR}/keyherd")
install(DIRECTORY rules dashboards DESTINATION "${KEYHERD_DATA}")
install(DIRECTORY deploy/prometheus deploy/alertmanager deploy/grafana deploy/kubernetes
        DESTINATION "${KEYHERD_DATA}/deploy")
install(DIRECTORY examples/consumers examples/publishers
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" USE_SOURCE_PERMISSIONS)
install(FILES examples/production.toml examples/minimal.toml
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples")
install(FILES README.md CHANGELOG.md SECURITY.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs DESTINATION "${CMAKE_INSTALL_DOCDIR}" PATTERN pictures EXCLUDE)
install(FILES deploy/debian/copyright DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${CMAKE_BINARY_DIR}/sbom.cdx.json" DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)
install(FILES deploy/systemd/keyherd.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/keyherd.sysusers DESTINATION lib/sysusers.d RENAME keyherd.conf)
# The package is configured with CMAKE_INSTALL_SYSCONFDIR=/etc.
install(FILES deploy/debian/keyherd.toml DESTINATION "${CMAKE_INSTALL_SYSCONFDIR}/keyherd")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME keyherd)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "Keyherd maintainers <maintainers@keyherd.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "agent that looks after LLM API keys")
string(CONCAT CPACK_DEBIAN_PACKAGE_DESCRIPTION
       "Validates every key with tiny probes, accounts for quota and cost from usage logs,\n"
       "rotates keys on schedules and on events, and shows it all to Prometheus,\n"
       "Alertmanager and Grafana. It stands beside the traffic: its failure breaks nobody.")
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE "https://github.com/keyherd/keyherd")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# tzdata: schedules name time zones. ca-certificates: providers are asked over TLS.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, tzdata, init-system-helpers, systemd | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus, prometheus-alertmanager")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_SOURCE_DIR}/deploy/debian/conffiles" "${PROJECT_SOURCE_DIR}/deploy/debian/postinst"
    "${PROJECT_SOURCE_DIR}/deploy/debian/prerm" "${PROJECT_SOURCE_DIR}/deploy/debian/postrm")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
