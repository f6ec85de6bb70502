#!/usr/bin/env bats
# What packages an image has, and which of them are known to be vulnerable.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

setup() { tree=$(mktemp -d "$dir/tree.XXXX"); }

packages() { davit sbom "$1" | jq -r '.packages[1:][] | "\(.name) \(.versionInfo)"' | sort; }

@test "the packages of a Debian system are those that dpkg lists" {
    mkdir -p "$tree/var/lib/dpkg" "$tree/etc"
    cp /var/lib/dpkg/status "$tree/var/lib/dpkg/"
    cp -L /etc/os-release "$tree/etc/"
    davit import "$tree" debian:1
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' | sed -n 's/^installed //p' | sort > "$dir/dpkg"
    [ "$(wc -l < "$dir/dpkg")" -gt 50 ]
    packages debian:1 | diff "$dir/dpkg" -
    davit sbom --output "$dir/sbom.json" debian:1
    jq -e '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT" and
        (.creationInfo.created | test("^[0-9-]{10}T[0-9:]{8}Z$")) and (.documentNamespace | startswith("https://")) and
        ([.packages[].SPDXID] | unique | length) == (.packages | length) and
        ([.relationships[] | select(.relationshipType == "CONTAINS")] | length) == (.packages | length) - 1 and
        ([.relationships[].relatedSpdxElement] - [.packages[].SPDXID]) == [] and
        (.packages[] | select(.name == "libc6") | .externalRefs[0].referenceLocator |
            startswith("pkg:deb/debian/libc6@") and contains("arch=amd64") and contains("upstream=glibc"))' "$dir/sbom.json"
}

@test "an image without dpkg has a file a package, and layers hide what lies below" {
    mkdir -p "$tree/var/lib/dpkg/status.d" "$tree/usr/lib"
    printf 'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n' > "$tree/var/lib/dpkg/status.d/tzdata"
    printf 'Package: base-files\nVersion: 12\n' > "$tree/var/lib/dpkg/status.d/base"
    echo 'checksum' > "$tree/var/lib/dpkg/status.d/base.md5sums"
    cp /bin/busybox "$tree/busybox"
    davit import --change 'ENTRYPOINT ["/busybox"]' "$tree" distroless:1
    [ "$(packages distroless:1)" = $'base-files 12\ntzdata 2024a-0' ]
    davit run --name less distroless:1 rm /var/lib/dpkg/status.d/tzdata
    davit commit less distroless:2
    [ "$(packages distroless:2)" = "base-files 12" ]
    davit rm less
}

@test "the packages of an Alpine system" {
    mkdir -p "$tree/lib/apk/db" "$tree/etc"
    printf 'ID=alpine\nVERSION_ID=3.18.4\nPRETTY_NAME="Alpine Linux v3.18"\n' > "$tree/etc/os-release"
    printf 'C:Q1x\nP:musl\nV:1.2.4-r1\nA:x86_64\nL:MIT\no:musl\n\nC:Q1y\nP:libcrypto3\nV:3.1.3-r0\nA:x86_64\nL:Apache-2.0\no:openssl\n\n' \
        > "$tree/lib/apk/db/installed"
    davit import "$tree" alpine:1
    [ "$(packages alpine:1)" = $'libcrypto3 3.1.3-r0\nmusl 1.2.4-r1' ]
    davit sbom alpine:1 | jq -e '.packages[] | select(.name == "libcrypto3") | .licenseComments == "Apache-2.0" and
        .externalRefs[0].referenceLocator == "pkg:apk/alpine/libcrypto3@3.1.3-r0?arch=x86_64&distro=alpine-3.18.4&upstream=openssl"'
}

@test "the packages of an rpm system are those that rpm lists" {
    mkdir -p "$tree/etc" "$dir/rpm"
    printf 'ID="rocky"\nVERSION_ID="9.3"\n' > "$tree/etc/os-release"
    rpmdb --root "$tree" --initdb --define '_dbpath /var/lib/rpm' --define '_db_backend sqlite'
    for name in one two; do
        printf 'Name: %s\nVersion: 1.2\nRelease: 3.el9\nEpoch: %s\nSummary: s\nLicense: MIT\nVendor: us\nBuildArch: noarch\n%%description\nd\n%%files\n' \
            $name $([ $name = one ] && echo 0 || echo 4) > "$dir/rpm/$name.spec"
        rpmbuild --quiet -bb --define "_topdir $dir/rpm" "$dir/rpm/$name.spec"
    done
    rpm --root "$tree" --define '_dbpath /var/lib/rpm' --define '_db_backend sqlite' --nodeps --noscripts --justdb -i "$dir"/rpm/RPMS/noarch/*.rpm
    [ -f "$tree/var/lib/rpm/rpmdb.sqlite" ]
    davit import "$tree" rocky:1
    [ "$(packages rocky:1)" = $'one 1.2-3.el9\ntwo 4:1.2-3.el9' ]
    davit sbom rocky:1 | jq -e '.packages[] | select(.name == "two") | .licenseComments == "MIT" and
        (.externalRefs[0].referenceLocator | contains("upstream=two%401.2-3.el9"))'
    mv "$tree/var/lib/rpm/rpmdb.sqlite" "$tree/var/lib/rpm/Packages"
    davit import "$tree" rocky:2
    run davit sbom rocky:2
    [ "$status" -eq 1 ]
    contains "$output" "/var/lib/rpm/Packages: an rpm database of this kind cannot be read"
}

@test "hostile databases do no harm" {
    mkdir -p "$tree/var/lib/dpkg" "$tree/var/lib/rpm" "$tree/lib/apk/db" "$tree/etc"
    echo 'Package: secret' > "$dir/outside"
    ln -s "$dir/outside" "$tree/var/lib/dpkg/status"
    ln -s ../../../../../../../../../..$dir/outside "$tree/lib/apk/db/installed"
    mkfifo "$tree/etc/os-release"
    davit import "$tree" hostile:1
    says_nothing packages hostile:1
    rm "$tree/var/lib/dpkg/status"
    head -c 100000 /dev/urandom > "$tree/var/lib/dpkg/status"
    davit import "$tree" hostile:2
    packages hostile:2 > /dev/null
    head -c 100000 /dev/urandom > "$tree/var/lib/rpm/rpmdb.sqlite"
    davit import "$tree" hostile:3
    run davit sbom hostile:3
    [ "$status" -eq 1 ]
    contains "$output" rpmdb.sqlite
    python3 - "$tree/var/lib/rpm/rpmdb.sqlite" <<'PYTHON'
import os, sqlite3, sys
os.remove(sys.argv[1])
database = sqlite3.connect(sys.argv[1])
database.execute("CREATE VIEW Packages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS hnum, zeroblob(100) AS blob FROM n")
database.commit()
PYTHON
    davit import "$tree" hostile:4
    run davit sbom hostile:4
    [ "$status" -eq 1 ]
    run davit sbom nothing
    contains "$output" "No such image"
}

# A list of one vulnerability: ID ECOSYSTEM PACKAGE EVENTS [MORE]
vulnerable() {
    jq -n --arg id "$1" --arg ecosystem "$2" --arg name "$3" "{id: \$id, summary: (\"about \" + \$id), affected: [{package: {ecosystem: \$ecosystem, name: \$name},
        ranges: [{type: \"ECOSYSTEM\", events: $4}]}]} + (${5:-{\}})" > "$dir/osv/$1.json"
}

@test "vulnerabilities are found by what packages were built from, by system and release" {
    mkdir -p "$tree/var/lib/dpkg" "$tree/etc" "$dir/osv/more"
    printf 'ID=debian\nVERSION_ID="12"\n' > "$tree/etc/os-release"
    printf 'Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.11-1~deb12u2\n\nPackage: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b2\nSource: bash (5.2.15-2)\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n' \
        > "$tree/var/lib/dpkg/status"
    davit import "$tree" scanned:1
    vulnerable CVE-1 Debian:12 openssl '[{introduced: "0"}, {fixed: "3.0.13-1~deb12u1"}]'
    vulnerable CVE-2 Debian:12 openssl '[{introduced: "0"}, {fixed: "3.0.11-1~deb12u2"}]'
    vulnerable CVE-3 Debian:11 openssl '[{introduced: "0"}]'
    vulnerable CVE-4 Debian bash '[{introduced: "5.2"}, {last_affected: "5.2.15-2"}]'
    vulnerable CVE-5 Debian:12 bash '[{introduced: "0"}, {last_affected: "5.2.15-1"}]'
    vulnerable CVE-6 Debian:12 gone '[{introduced: "0"}]'
    vulnerable CVE-7 Alpine:v3.18 bash '[{introduced: "0"}]'
    vulnerable CVE-8 Debian:12 bash '[{introduced: "0"}]' '{withdrawn: "2024-01-01T00:00:00Z"}'
    vulnerable CVE-9 Debian:12 openssl '[{introduced: "0"}, {fixed: "1.1"}, {introduced: "3.0.10"}, {fixed: "3.0.12"}]'
    mv "$dir/osv/CVE-9.json" "$dir/osv/more/"
    run davit scan --db "$dir/osv" --format json scanned:1
    [ "$status" -eq 2 ]
    echo "$output" | jq -e '[.[] | [.package, .id, .fixed]] == [["bash", "CVE-4", ""], ["libssl3", "CVE-1", "3.0.13-1~deb12u1"], ["libssl3", "CVE-9", "3.0.12"]]'
    run davit scan --db "$dir/osv" scanned:1
    contains "$output" "3.0.13-1~deb12u1"
    contains "$output" "about CVE-4"
    contains "$output" "2 packages, 9 vulnerabilities in the list, 3 found"
    rm "$dir"/osv/CVE-[14].json "$dir/osv/more/CVE-9.json"
    run davit scan --db "$dir/osv" scanned:1
    [ "$status" -eq 0 ]
    run davit scan --db "$dir/nowhere" scanned:1
    [ "$status" -eq 1 ]
    mkdir "$dir/empty"
    run davit scan --db "$dir/empty" scanned:1
    [ "$status" -eq 1 ]
    contains "$output" "no file NAME.json"
    echo '{"broken' > "$dir/osv/broken.json"
    run davit scan --db "$dir/osv" scanned:1
    [ "$status" -eq 1 ]
    contains "$output" broken.json
}
