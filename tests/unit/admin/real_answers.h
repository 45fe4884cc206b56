/*
 * What MySQL 9.7.4 and 5.6.24 answered to these statements in this order, recorded through a plain
 * connection with the collation 45: "OK", an error (~ stands for MySQL's sentence about errors in
 * the syntax), or the columns with the numbers of their types and the low byte of their flags. Rows
 * are not recorded: they say what that server was, not how it answers. Left out is where binlogd
 * means to differ: it knows the words of both generations, has no tables, changes nothing global.
 */
#ifndef BINLOGD_TESTS_ADMIN_REAL_ANSWERS_H
#define BINLOGD_TESTS_ADMIN_REAL_ANSWERS_H

enum { MYSQL_97 = 1, MYSQL_56 = 2, MYSQL_BOTH = 3 };

struct real_answer {
    unsigned versions;
    unsigned rights;
    const char *sql;
    const char *answer;
};

/* clang-format off */
static const struct real_answer real_answers[] = {
    {MYSQL_56, 0, "SHOW MASTER STATUS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_BOTH, 7, "SELECT UNIX_TIMESTAMP()", "UNIX_TIMESTAMP():8:81"},
    {MYSQL_BOTH, 7, "SELECT @@GLOBAL.SERVER_ID", "@@GLOBAL.SERVER_ID:8:a0"},
    {MYSQL_BOTH, 7, "select @@server_id", "@@server_id:8:a0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES LIKE 'SERVER_ID'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES LIKE 'SERVER_UUID'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SET @master_heartbeat_period= 30000001024", "OK"},
    {MYSQL_BOTH, 7, "SELECT @master_heartbeat_period", "@master_heartbeat_period:8:80"},
    {MYSQL_BOTH, 7, "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
     "OK"},
    {MYSQL_97, 7, "SELECT @source_binlog_checksum", "@source_binlog_checksum:251:0"},
    {MYSQL_97, 7, "SELECT @master_binlog_checksum, @Master_Binlog_Checksum",
     "@master_binlog_checksum:251:0,@Master_Binlog_Checksum:251:0"},
    {MYSQL_BOTH, 7, "SELECT @@GLOBAL.GTID_MODE", "@@GLOBAL.GTID_MODE:253:0"},
    {MYSQL_BOTH, 7, "SELECT @@GLOBAL.SERVER_UUID", "@@GLOBAL.SERVER_UUID:253:0"},
    {MYSQL_BOTH, 7, "SET @slave_uuid = 'U', @replica_uuid = 'U'", "OK"},
    {MYSQL_56, 7, "SELECT @@global.rpl_semi_sync_source_enabled",
     "ERR 1193 HY000 Unknown system variable 'rpl_semi_sync_source_enabled'"},
    {MYSQL_56, 7, "SELECT @@global.rpl_semi_sync_master_enabled",
     "ERR 1193 HY000 Unknown system variable 'rpl_semi_sync_master_enabled'"},
    {MYSQL_97, 7, "SELECT @@global.rpl_semi_sync_source_enabled",
     "@@global.rpl_semi_sync_source_enabled:8:80"},
    {MYSQL_BOTH, 7, "SELECT @@GLOBAL.gtid_domain_id",
     "ERR 1193 HY000 Unknown system variable 'gtid_domain_id'"},
    {MYSQL_56, 7, "SELECT binlog_gtid_pos('mysql-bin.000001',4)",
     "ERR 1305 42000 FUNCTION binlog_gtid_pos does not exist"},
    {MYSQL_56, 7, "SELECT binlog_gtid_pos('mysql-bin.000001',4,5)",
     "ERR 1305 42000 FUNCTION binlog_gtid_pos does not exist"},
    {MYSQL_56, 7, "SELECT binlog_gtid_pos('nosuch',4)",
     "ERR 1305 42000 FUNCTION binlog_gtid_pos does not exist"},
    {MYSQL_BOTH, 7, "SET skip_replication=1",
     "ERR 1193 HY000 Unknown system variable 'skip_replication'"},
    {MYSQL_BOTH, 7, "SELECT VERSION()", "VERSION():253:1"},
    {MYSQL_BOTH, 7, "select @@version_comment limit 1", "@@version_comment:253:0"},
    {MYSQL_97, 7, "select USER()", "USER():253:0"},
    {MYSQL_BOTH, 7, "SELECT DATABASE()", "DATABASE():253:0"},
    {MYSQL_97, 7, "SELECT CURRENT_USER()", "CURRENT_USER():253:0"},
    {MYSQL_97, 7, "SELECT CURRENT_USER", "CURRENT_USER:253:0"},
    {MYSQL_BOTH, 7, "SELECT CONNECTION_ID()", "CONNECTION_ID():8:a1"},
    {MYSQL_BOTH, 7, "SELECT NOW()", "NOW():12:81"},
    {MYSQL_BOTH, 7, "SELECT NOW(6)", "NOW(6):12:81"},
    {MYSQL_BOTH, 7, "SELECT SYSDATE(), CURRENT_TIMESTAMP, UTC_TIMESTAMP()",
     "SYSDATE():12:81,CURRENT_TIMESTAMP:12:81,UTC_TIMESTAMP():12:81"},
    {MYSQL_56, 7, "select concat(@@version, ' ', @@version_comment)",
     "concat(@@version, ' ', @@version_comment):253:0"},
    {MYSQL_BOTH, 7, "SELECT 1", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT -1, 1.5, 'a', NULL, TRUE, x'4142', 1e3, 18446744073709551615, 99999999999999999999",
     "-1:8:81,1.5:246:81,a:253:1,NULL:6:80,TRUE:8:81,x'4142':253:a1,1e3:5:81,18446744073709"
     "551615:8:a1,99999999999999999999:246:81"},
    {MYSQL_BOTH, 7, "SELECT 1 AS one, 'x' y, (2) AS `z z`, ((3))",
     "one:8:81,y:253:1,z z:8:81,3:8:81"},
    {MYSQL_BOTH, 7, "SELECT 'abc' 'def'", "abc:253:1"},
    {MYSQL_BOTH, 7, "SELECT \"it''s\", 'it\\'s'", "it''s:253:1,it's:253:1"},
    {MYSQL_97, 7, "SELECT IF(@@global.log_bin,1,0), IFNULL(@a,'x'), IF(1,2,'b'), COALESCE(NULL,3)",
     "IF(@@global.log_bin,1,0):8:81,IFNULL(@a,'x'):253:1,IF(1,2,'b'):253:1,COALESCE(NULL,3)"
     ":8:81"},
    {MYSQL_BOTH, 7, "select ifnull(@@global.report_host, '')",
     "ifnull(@@global.report_host, ''):253:1"},
    {MYSQL_BOTH, 7, "SELECT IF(@@global.log_bin,'ON','OFF') AS x LIMIT 1", "x:253:1"},
    {MYSQL_BOTH, 7, "SET @a = 5; ", "OK"},
    {MYSQL_BOTH, 7, "SET @a = 1.50", "OK"},
    {MYSQL_BOTH, 7, "SET @a = -7", "OK"},
    {MYSQL_BOTH, 7, "SET @a = 'x', @b := 3", "OK"},
    {MYSQL_BOTH, 7, "SET @a = NULL", "OK"},
    {MYSQL_BOTH, 7, "SET @a = b", "ERR 1054 42S22 Unknown column 'b' in 'field list'"},
    {MYSQL_BOTH, 7, "SET @a = ", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SET @a = @@nosuch", "ERR 1193 HY000 Unknown system variable 'nosuch'"},
    {MYSQL_BOTH, 7, "SELECT @@nosuch", "ERR 1193 HY000 Unknown system variable 'nosuch'"},
    {MYSQL_BOTH, 7, "SELECT @@global.nosuch", "ERR 1193 HY000 Unknown system variable 'nosuch'"},
    {MYSQL_BOTH, 7, "SELECT @@session.server_id",
     "ERR 1238 HY000 Variable 'server_id' is a GLOBAL variable"},
    {MYSQL_97, 7, "SELECT @@global.nosuch.x",
     "ERR 1193 HY000 Unknown system variable 'nosuch.x'"},
    {MYSQL_BOTH, 7, "SELECT @@session.autocommit, @@autocommit, @@global.autocommit",
     "@@session.autocommit:8:80,@@autocommit:8:80,@@global.autocommit:8:80"},
    {MYSQL_BOTH, 7, "SELECT @@LOCAL.sql_mode", "@@LOCAL.sql_mode:253:0"},
    {MYSQL_BOTH, 7, "SELECT @@character_set_client, @@max_allowed_packet, @@wait_timeout, @@lower_case_table_names",
     "@@character_set_client:253:0,@@max_allowed_packet:8:a0,@@wait_timeout:8:a0,@@lower_ca"
     "se_table_names:8:a0"},
    {MYSQL_BOTH, 7, "SELECT @@gtid_executed, @@global.gtid_purged, @@gtid_next",
     "@@gtid_executed:253:0,@@global.gtid_purged:253:0,@@gtid_next:253:0"},
    {MYSQL_56, 7, "SELECT @@binlog_format, @@binlog_row_image, @@binlog_checksum, @@tx_isolation",
     "@@binlog_format:253:0,@@binlog_row_image:253:0,@@binlog_checksum:253:0,@@tx_isolation"
     ":253:0"},
    {MYSQL_97, 7, "SELECT @@hostname, @@port, @@socket, @@datadir, @@read_only, @@super_read_only, @@log_bin",
     "@@hostname:253:0,@@port:8:a0,@@socket:253:0,@@datadir:253:0,@@read_only:8:80,@@super_"
     "read_only:8:80,@@log_bin:8:80"},
    {MYSQL_97, 7, "SELECT @@transaction_isolation, @@time_zone, @@system_time_zone",
     "@@transaction_isolation:253:0,@@time_zone:253:0,@@system_time_zone:253:0"},
    {MYSQL_BOTH, 7, "SELECT @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client",
     "auto_increment_increment:8:a0,character_set_client:253:0"},
    {MYSQL_BOTH, 7, "/* mysql-connector-java-8.0.33 (Revision: x) */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@init_connect AS init_connect",
     "auto_increment_increment:8:a0,init_connect:253:0"},
    {MYSQL_BOTH, 7, "SELECT 1 /* open", "ERR 1064 42000 ~ '/* open' at line 1"},
    {MYSQL_BOTH, 7, "SELECT 1 -- x", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1 # x", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1;", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1;;", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1; SELECT 2", "ERR 1064 42000 ~ 'SELECT 2' at line 1"},
    {MYSQL_BOTH, 7, "SELECT 1 LIMIT 0", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1 LIMIT 1,1", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1 LIMIT 1 OFFSET 0", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT 1 FROM DUAL", "1:8:81"},
    {MYSQL_BOTH, 7, "SELECT", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_97, 7, "SELECT ,", "ERR 1064 42000 ~ ',' at line 1"},
    {MYSQL_BOTH, 7, "SELECT 'abc", "ERR 1064 42000 ~ ''abc' at line 1"},
    {MYSQL_BOTH, 7, "SELECT nosuch", "ERR 1054 42S22 Unknown column 'nosuch' in 'field list'"},
    {MYSQL_56, 7, "SELECT nosuch()", "ERR 1305 42000 FUNCTION nosuch does not exist"},
    {MYSQL_BOTH, 7, "SELECT 1+1, 2*3, 7-2, 1=1, 'a'='A', NOT 1",
     "1+1:8:81,2*3:8:81,7-2:8:81,1=1:8:81,'a'='A':8:81,NOT 1:8:81"},
    {MYSQL_BOTH, 7, ";", "ERR 1065 42000 Query was empty"},
    {MYSQL_BOTH, 7, "foo bar baz", "ERR 1064 42000 ~ 'foo bar baz' at line 1"},
    {MYSQL_BOTH, 7, "foo\nbar", "ERR 1064 42000 ~ 'foo\nbar' at line 1"},
    {MYSQL_BOTH, 7, "SHOW", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SHOW foo", "ERR 1064 42000 ~ 'foo' at line 1"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES LIKE 'nosuch'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES LIKE ", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES WHERE Variable_name IN ('server_id', 'port')",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES WHERE Variable_name = 'server_id' OR Variable_name LIKE 'gtid%'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES WHERE Value = 'x'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW VARIABLES WHERE variable_name LIKE 'server_id' AND value = '1'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW GLOBAL VARIABLES LIKE 'BINLOG_CHECKSUM'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW SESSION VARIABLES LIKE 'server\\_id'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW LOCAL VARIABLES LIKE 'server_id'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW global status like 'Uptime'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW GLOBAL STATUS LIKE 'rpl_semi_sync_%'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW STATUS LIKE 'ssl_cipher'", "Variable_name:253:1,Value:253:0"},
    {MYSQL_BOTH, 7, "SHOW STATUS WHERE `Variable_name` = 'uptime'",
     "Variable_name:253:1,Value:253:0"},
    {MYSQL_56, 7, "SHOW MASTER STATUS",
     "File:253:1,Position:8:a1,Binlog_Do_DB:253:1,Binlog_Ignore_DB:253:1,Executed_Gtid_Set:"
     "253:1"},
    {MYSQL_56, 7, "SHOW BINARY LOGS", "Log_name:253:1,File_size:8:a1"},
    {MYSQL_56, 7, "SHOW MASTER LOGS", "Log_name:253:1,File_size:8:a1"},
    {MYSQL_56, 7, "SHOW SLAVE HOSTS",
     "Server_id:3:a1,Host:253:1,Port:3:a1,Master_id:3:a1,Slave_UUID:253:1"},
    {MYSQL_97, 7, "SHOW BINARY LOG STATUS",
     "File:253:1,Position:8:a1,Binlog_Do_DB:253:1,Binlog_Ignore_DB:253:1,Executed_Gtid_Set:"
     "253:1"},
    {MYSQL_97, 7, "SHOW BINARY LOGS", "Log_name:253:1,File_size:8:a1,Encrypted:253:1"},
    {MYSQL_97, 7, "SHOW REPLICAS",
     "Server_Id:3:a1,Host:253:1,Port:3:a1,Source_Id:3:a1,Replica_UUID:253:1"},
    {MYSQL_97, 7, "SHOW REPLICA STATUS",
     "Replica_IO_State:253:1,Source_Host:253:1,Source_User:253:1,Source_Port:3:a1,Connect_R"
     "etry:3:a1,Source_Log_File:253:1,Read_Source_Log_Pos:8:a1,Relay_Log_File:253:1,Relay_L"
     "og_Pos:8:a1,Relay_Source_Log_File:253:1,Replica_IO_Running:253:1,Replica_SQL_Running:"
     "253:1,Replicate_Do_DB:253:1,Replicate_Ignore_DB:253:1,Replicate_Do_Table:253:1,Replic"
     "ate_Ignore_Table:253:1,Replicate_Wild_Do_Table:253:1,Replicate_Wild_Ignore_Table:253:"
     "1,Last_Errno:3:a1,Last_Error:253:1,Skip_Counter:3:a1,Exec_Source_Log_Pos:8:a1,Relay_L"
     "og_Space:8:a1,Until_Condition:253:1,Until_Log_File:253:1,Until_Log_Pos:8:a1,Source_SS"
     "L_Allowed:253:1,Source_SSL_CA_File:253:1,Source_SSL_CA_Path:253:1,Source_SSL_Cert:253"
     ":1,Source_SSL_Cipher:253:1,Source_SSL_Key:253:1,Seconds_Behind_Source:8:a1,Source_SSL"
     "_Verify_Server_Cert:253:1,Last_IO_Errno:3:a1,Last_IO_Error:253:1,Last_SQL_Errno:3:a1,"
     "Last_SQL_Error:253:1,Replicate_Ignore_Server_Ids:253:1,Source_Server_Id:3:a1,Source_U"
     "UID:253:1,Source_Info_File:253:1,SQL_Delay:3:a1,SQL_Remaining_Delay:3:a1,Replica_SQL_"
     "Running_State:253:1,Source_Retry_Count:8:a1,Source_Bind:253:1,Last_IO_Error_Timestamp"
     ":253:1,Last_SQL_Error_Timestamp:253:1,Source_SSL_Crl:253:1,Source_SSL_Crlpath:253:1,R"
     "etrieved_Gtid_Set:253:1,Executed_Gtid_Set:253:1,Auto_Position:3:a1,Replicate_Rewrite_"
     "DB:253:1,Channel_Name:253:1,Source_TLS_Version:253:1,Source_public_key_path:253:1,Get"
     "_Source_public_key:3:a1,Network_Namespace:253:1"},
    {MYSQL_BOTH, 7, "SHOW ALL SLAVES STATUS", "ERR 1064 42000 ~ 'ALL SLAVES STATUS' at line 1"},
    {MYSQL_BOTH, 7, "SHOW PROCESSLIST",
     "Id:8:81,User:253:1,Host:253:1,db:253:0,Command:253:1,Time:3:81,State:253:0,Info:253:0"},
    {MYSQL_BOTH, 7, "KILL 999999", "ERR 1094 HY000 Unknown thread id: 999999"},
    {MYSQL_BOTH, 7, "KILL QUERY 999999", "ERR 1094 HY000 Unknown thread id: 999999"},
    {MYSQL_BOTH, 7, "KILL CONNECTION 1", "ERR 1094 HY000 Unknown thread id: 1"},
    {MYSQL_BOTH, 7, "KILL abc", "ERR 1054 42S22 Unknown column 'abc' in 'field list'"},
    {MYSQL_56, 7, "KILL -1", "ERR 1094 HY000 Unknown thread id: 18446744073709551615"},
    {MYSQL_BOTH, 7, "KILL 5", "ERR 1094 HY000 Unknown thread id: 5"},
    {MYSQL_BOTH, 7, "SHOW WARNINGS", "Level:253:1,Code:3:a1,Message:253:1"},
    {MYSQL_BOTH, 7, "SHOW ERRORS", "Level:253:1,Code:3:a1,Message:253:1"},
    {MYSQL_BOTH, 7, "SHOW COUNT(*) WARNINGS", "@@session.warning_count:8:a0"},
    {MYSQL_BOTH, 7, "SELECT @@warning_count, @@error_count",
     "@@warning_count:8:a0,@@error_count:8:a0"},
    {MYSQL_56, 7, "SHOW DATABASES", "Database:253:1"},
    {MYSQL_56, 7, "SHOW SCHEMAS", "Database:253:1"},
    {MYSQL_56, 7, "SHOW DATABASES LIKE 'mysql'", "Database (mysql):253:1"},
    {MYSQL_BOTH, 7, "SHOW TABLES", "ERR 1046 3D000 No database selected"},
    {MYSQL_BOTH, 7, "USE information_schema", "OK"},
    {MYSQL_BOTH, 7, "USE nosuch", "ERR 1049 42000 Unknown database 'nosuch'"},
    {MYSQL_BOTH, 7, "SELECT DATABASE(), SCHEMA()", "DATABASE():253:0,SCHEMA():253:0"},
    {MYSQL_BOTH, 7, "BEGIN", "OK"},
    {MYSQL_BOTH, 7, "START TRANSACTION", "OK"},
    {MYSQL_BOTH, 7, "START TRANSACTION READ ONLY", "OK"},
    {MYSQL_BOTH, 7, "COMMIT", "OK"},
    {MYSQL_BOTH, 7, "ROLLBACK", "OK"},
    {MYSQL_BOTH, 7, "SET autocommit=1", "OK"},
    {MYSQL_BOTH, 7, "SET autocommit = ON", "OK"},
    {MYSQL_BOTH, 7, "SET NAMES utf8mb4", "OK"},
    {MYSQL_BOTH, 7, "SET NAMES 'utf8' COLLATE 'utf8_general_ci'", "OK"},
    {MYSQL_BOTH, 7, "SET NAMES nosuch", "ERR 1115 42000 Unknown character set: 'nosuch'"},
    {MYSQL_BOTH, 7, "SET CHARACTER SET utf8", "OK"},
    {MYSQL_BOTH, 7, "SET SESSION sql_mode = 'ANSI'", "OK"},
    {MYSQL_BOTH, 7, "SET @@session.sql_mode=''", "OK"},
    {MYSQL_BOTH, 7, "SET @@sql_mode=''", "OK"},
    {MYSQL_BOTH, 7, "SET sql_mode=CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')", "OK"},
    {MYSQL_BOTH, 7, "SET nosuch = 1", "ERR 1193 HY000 Unknown system variable 'nosuch'"},
    {MYSQL_BOTH, 7, "SET @@session.nosuch = 1",
     "ERR 1193 HY000 Unknown system variable 'nosuch'"},
    {MYSQL_BOTH, 7, "SET server_id = 5",
     "ERR 1229 HY000 Variable 'server_id' is a GLOBAL variable and should be set with SET G"
     "LOBAL"},
    {MYSQL_BOTH, 7, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "OK"},
    {MYSQL_BOTH, 7, "SET TRANSACTION READ ONLY", "OK"},
    {MYSQL_BOTH, 7, "SET net_write_timeout = 600, @a = 3", "OK"},
    {MYSQL_BOTH, 7, "SET", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SET @", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_97, 7, "SELECT @", "@:253:80"},
    {MYSQL_BOTH, 7, "SET @`a b` = 1", "OK"},
    {MYSQL_BOTH, 7, "SELECT @`a b`, @'a b'", "@`a b`:8:80,@'a b':8:80"},
    {MYSQL_BOTH, 7, "SELECT @@global.hostname, ifnull(@@global.report_host, ''), @@global.server_id, @@global.version, @@global.version_comment, @@global.read_only, @@global.binlog_format, @@global.log_bin, @@global.log_slave_updates",
     "@@global.hostname:253:0,ifnull(@@global.report_host, ''):253:1,@@global.server_id:8:a"
     "0,@@global.version:253:0,@@global.version_comment:253:0,@@global.read_only:8:80,@@glo"
     "bal.binlog_format:253:0,@@global.log_bin:8:80,@@global.log_slave_updates:8:80"},
    {MYSQL_97, 7, "SELECT @@log_replica_updates", "@@log_replica_updates:8:80"},
    {MYSQL_BOTH, 7, "SELECT 1 AS", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SELECT (1", "ERR 1064 42000 ~ '' at line 1"},
    {MYSQL_BOTH, 7, "SELECT IF(1,2)", "ERR 1064 42000 ~ ')' at line 1"},
    {MYSQL_BOTH, 7, "SELECT CONCAT()",
     "ERR 1582 42000 Incorrect parameter count in the call to native function 'CONCAT'"},
    {MYSQL_BOTH, 7, "SELECT VERSION(1)",
     "ERR 1582 42000 Incorrect parameter count in the call to native function 'VERSION'"},
    {MYSQL_BOTH, 7, "SELECT UNIX_TIMESTAMP(), unix_timestamp ( )",
     "UNIX_TIMESTAMP():8:81,unix_timestamp ( ):8:81"},
    {MYSQL_BOTH, 7, "SELECT LAST_INSERT_ID()", "LAST_INSERT_ID():8:a1"},
    {MYSQL_97, 0, "SHOW BINARY LOG STATUS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_BOTH, 0, "SHOW BINARY LOGS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_56, 0, "SHOW MASTER LOGS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_56, 0, "SHOW SLAVE HOSTS",
     "ERR 1227 42000 Access denied; you need (at least one of) the REPLICATION SLAVE privil"
     "ege(s) for this operation"},
    {MYSQL_56, 0, "SHOW SLAVE STATUS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_97, 0, "SHOW REPLICAS",
     "ERR 1227 42000 Access denied; you need (at least one of) the REPLICATION SLAVE privil"
     "ege(s) for this operation"},
    {MYSQL_97, 0, "SHOW REPLICA STATUS",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER, REPLICATION CLIEN"
     "T privilege(s) for this operation"},
    {MYSQL_BOTH, 0, "SHOW ALL SLAVES STATUS", "ERR 1064 42000 ~ 'ALL SLAVES STATUS' at line 1"},
    {MYSQL_BOTH, 0, "SHOW PROCESSLIST",
     "Id:8:81,User:253:1,Host:253:1,db:253:0,Command:253:1,Time:3:81,State:253:0,Info:253:0"},
    {MYSQL_BOTH, 0, "KILL 999999", "ERR 1094 HY000 Unknown thread id: 999999"},
    {MYSQL_BOTH, 0, "KILL QUERY 999999", "ERR 1094 HY000 Unknown thread id: 999999"},
    {MYSQL_BOTH, 0, "KILL CONNECTION 1", "ERR 1094 HY000 Unknown thread id: 1"},
    {MYSQL_BOTH, 0, "KILL abc", "ERR 1054 42S22 Unknown column 'abc' in 'field list'"},
    {MYSQL_56, 0, "KILL -1", "ERR 1094 HY000 Unknown thread id: 18446744073709551615"},
    {MYSQL_97, 0, "KILL 5", "ERR 1094 HY000 Unknown thread id: 5"},
    {MYSQL_97, 0, "USE information_schema", "OK"},
    {MYSQL_97, 0, "SET GLOBAL max_connections=100",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLE"
     "S_ADMIN privilege(s) for this operation"},
    {MYSQL_97, 0, "SET @@GLOBAL.read_only=1",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLE"
     "S_ADMIN privilege(s) for this operation"},
    {MYSQL_97, 0, "SET @@global.server_id = 1",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLE"
     "S_ADMIN privilege(s) for this operation"},
    {MYSQL_97, 0, "SET PERSIST max_connections = 100",
     "ERR 1227 42000 Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLE"
     "S_ADMIN privilege(s) for this operation"},
    {MYSQL_BOTH, 0, "SHOW GRANTS", "Grants for none@%:253:1"},
    {MYSQL_BOTH, 0, "SHOW GRANTS FOR CURRENT_USER", "Grants for none@%:253:1"},
    {MYSQL_BOTH, 0, "SHOW GRANTS FOR CURRENT_USER()", "Grants for none@%:253:1"},
    {MYSQL_BOTH, 0, "SHOW BINLOG EVENTS IN 'nosuch'",
     "ERR 1227 42000 Access denied; you need (at least one of) the REPLICATION SLAVE privil"
     "ege(s) for this operation"},
};
/* clang-format on */

#endif
