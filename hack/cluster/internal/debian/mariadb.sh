#!/bin/bash
# Runs a MariaDB server as any user. At the first start it makes the database, with what these variables say, each with the prefix
# MARIADB_ or MYSQL_, and each also as the name of a file with the suffix _FILE: ROOT_PASSWORD, DATABASE, USER, PASSWORD.
set -euo pipefail

data=/var/lib/mysql

setting() {
  local prefix variable file
  for prefix in MARIADB MYSQL; do
    variable=${prefix}_$1 file=${prefix}_$1_FILE
    if [ -n "${!file:-}" ]; then cat "${!file}"; return; fi
    if [ -n "${!variable:-}" ]; then printf %s "${!variable}"; return; fi
  done
}

# text makes its argument a text of SQL, name makes it a name.
text() { local t=${1//\\/\\\\}; printf "'%s'" "${t//\'/\'\'}"; }
name() { printf '`%s`' "${1//\`/\`\`}"; }

statements() {
  local root database user password
  root=$(setting ROOT_PASSWORD) database=$(setting DATABASE) user=$(setting USER) password=$(setting PASSWORD)
  if [ -z "$root" ]; then
    echo "entrypoint: set MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD" >&2
    return 1
  fi
  echo "DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';" # they have no password
  echo "FLUSH PRIVILEGES;"
  echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(text "$root");"
  echo "CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY $(text "$root");"
  echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
  [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS $(name "$database") CHARACTER SET utf8mb4;"
  if [ -n "$user" ]; then
    echo "CREATE USER IF NOT EXISTS $(text "$user")@'%' IDENTIFIED BY $(text "$password");"
    [ -z "$database" ] || echo "GRANT ALL ON $(name "$database").* TO $(text "$user")@'%';"
  fi
}

options=(--no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --pid-file=/run/mysqld/mysqld.pid --skip-name-resolve
  --innodb-log-file-size=16M --innodb-buffer-pool-size=64M --lc-messages-dir=/usr/share/mysql)

# What a start left unfinished is made anew: nothing of it was ever served.
if [ ! -e "$data/.complete" ]; then
  find "$data" -mindepth 1 -delete
  sql=$(statements)
  echo "entrypoint: making the database"
  mariadb-install-db --no-defaults --datadir="$data" --skip-test-db --skip-name-resolve --force --auth-root-authentication-method=normal \
    --innodb-log-file-size=16M >/dev/null
  printf '%s\n' "$sql" | mariadbd "${options[@]}" --bootstrap
  touch "$data/.complete"
fi

exec mariadbd "${options[@]}" --bind-address=0.0.0.0 --port=3306 --max-connections=200 "$@"
