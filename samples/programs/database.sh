# sqlite3 with a database open and a transaction begun, fed through a fifo.
mkfifo in
sqlite3 data.db <in >answers &
exec 3>in
printf '%s\n' 'create table t(n integer, s text);' 'begin;' \
	"insert into t values (1, 'one'), (2, 'two');" '.print waiting' >&3
while ! grep -q waiting answers 2>/dev/null; do sleep 0.02; done
echo ready
while [ ! -e go ]; do sleep 0.02; done
printf '%s\n' "insert into t values (3, 'three');" 'commit;' 'select sum(n), group_concat(s) from t;' >&3
exec 3>&-
wait
tail -n 1 answers | grep -qx '6|one,two,three'
