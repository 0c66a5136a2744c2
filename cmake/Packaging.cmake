# What is installed, by `cmake --install` and by the .deb alike:
#   cmake --build --preset release --target reeve_package && (cd build/release && cpack)
if(NOT TARGET reeve)
    return()  # No program yet.
endif()

install(TARGETS reeve RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# The program writes its completions, so they cannot be out of date.
set(completion_dir ${PROJECT_BINARY_DIR}/completion)
set(completions "")
foreach(shell IN ITEMS bash zsh fish)
    add_custom_command(
        OUTPUT ${completion_dir}/reeve.${shell}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${completion_dir}
        COMMAND reeve completion ${shell} > ${completion_dir}/reeve.${shell}
        DEPENDS reeve
        VERBATIM)
    list(APPEND completions ${completion_dir}/reeve.${shell})
endforeach()
add_custom_target(reeve_completions ALL DEPENDS ${completions})
install(FILES ${completion_dir}/reeve.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME reeve)
install(FILES ${completion_dir}/reeve.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _reeve)
install(FILES ${completion_dir}/reeve.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

find_program(GZIP_PROGRAM gzip REQUIRED)
set(man_page ${PROJECT_BINARY_DIR}/man/reeve.1.gz)
add_custom_command(
    OUTPUT ${man_page}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
    COMMAND ${GZIP_PROGRAM} -9 -n -c ${PROJECT_SOURCE_DIR}/docs/man/reeve.1 > ${man_page}
    DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/reeve.1
    VERBATIM)
add_custom_target(reeve_man ALL DEPENDS ${man_page})
install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

# All that is installed; without it, `cmake --build` makes the tests, too.
add_custom_target(reeve_package DEPENDS reeve reeve_nvml_sim reeve_completions reeve_man)

# ExecStart names /usr/bin: an installation elsewhere gets a unit that names its own.
install(CODE "
    file(READ \"${PROJECT_SOURCE_DIR}/deploy/systemd/reeve.service\" unit)
    string(REPLACE /usr/bin/reeve \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/reeve\" unit \"\${unit}\")
    file(WRITE \"${PROJECT_BINARY_DIR}/reeve.service\" \"\${unit}\")")
install(FILES ${PROJECT_BINARY_DIR}/reeve.service DESTINATION lib/systemd/system)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE ${PROJECT_SOURCE_DIR}/THIRD_PARTY_NOTICES.md
              ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/reference DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN *.md)
install(FILES ${PROJECT_SOURCE_DIR}/docs/scheduler.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/examples/job.yaml ${PROJECT_SOURCE_DIR}/deploy/examples/submit.yaml
    DESTINATION ${CMAKE_INSTALL_DATADIR}/reeve/examples)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(EXISTS ${PROJECT_SOURCE_DIR}/api/openapi.yaml)
    install(FILES ${PROJECT_SOURCE_DIR}/api/openapi.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/reeve)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME reeve)
set(CPACK_PACKAGE_VENDOR "The Reeve authors")
set(CPACK_PACKAGE_CONTACT "The Reeve authors <reeve@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "share every GPU of a team: queue, scheduler and agent")
set(CPACK_PACKAGE_DESCRIPTION "Reeve queues GPU jobs, grants each the GPUs that it asked for, starts it on exactly
those, follows it, and records how it ended. It can say why a job waits.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
    ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
