-- A state file of format 1, as sqlite3's .dump wrote it; the pragmas by hand.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE name (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO name VALUES(1,'pool clé-🔑');
INSERT INTO name VALUES(2,'key x''); DROP TABLE usage; --');
INSERT INTO name VALUES(3,'model b');
INSERT INTO name VALUES(4,'key a');
INSERT INTO name VALUES(5,'model it''s "quoted"');
INSERT INTO name VALUES(6,'key clé-🔑');
INSERT INTO name VALUES(7,'key b');
INSERT INTO name VALUES(8,'model tab	here');
INSERT INTO name VALUES(9,'model a');
INSERT INTO name VALUES(10,'model clé-🔑');
INSERT INTO name VALUES(11,'key tab	here');
INSERT INTO name VALUES(12,'key it''s "quoted"');
INSERT INTO name VALUES(13,'source b');
INSERT INTO name VALUES(14,'source it''s "quoted"');
INSERT INTO name VALUES(15,'quota tab	here');
INSERT INTO name VALUES(16,'group:x''); DROP TABLE usage; --');
INSERT INTO name VALUES(17,'source tab	here');
INSERT INTO name VALUES(18,'quota a');
INSERT INTO name VALUES(19,'group:a');
INSERT INTO name VALUES(20,'model x''); DROP TABLE usage; --');
INSERT INTO name VALUES(21,'source a');
INSERT INTO name VALUES(22,'quota it''s "quoted"');
INSERT INTO name VALUES(23,'pool x''); DROP TABLE usage; --');
INSERT INTO name VALUES(24,'quota x''); DROP TABLE usage; --');
INSERT INTO name VALUES(25,'group:it''s "quoted"');
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  model INTEGER NOT NULL,
  UNIQUE (key, model)
) STRICT;
INSERT INTO series VALUES(1,2,3);
INSERT INTO series VALUES(2,4,5);
INSERT INTO series VALUES(3,6,5);
INSERT INTO series VALUES(4,7,8);
INSERT INTO series VALUES(5,6,9);
INSERT INTO series VALUES(6,6,10);
INSERT INTO series VALUES(7,7,9);
INSERT INTO series VALUES(8,12,10);
INSERT INTO series VALUES(9,11,9);
INSERT INTO series VALUES(10,4,20);
INSERT INTO series VALUES(11,11,3);
INSERT INTO series VALUES(12,11,20);
INSERT INTO series VALUES(13,4,8);
INSERT INTO series VALUES(14,12,20);
INSERT INTO series VALUES(15,7,5);
INSERT INTO series VALUES(16,4,3);
INSERT INTO series VALUES(17,11,10);
CREATE TABLE usage (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (series, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO usage VALUES(1,1975001,9,1,540,74,7,66,10,131356,1,937,7);
INSERT INTO usage VALUES(1,1975002,5,1,287,79,8,261,8,316631,0,2217,2);
INSERT INTO usage VALUES(2,1975001,4,0,263,58,4,18,9,539627,1,2728,7);
INSERT INTO usage VALUES(2,1975003,2,0,463,5,6,416,27,941365,0,979,5);
INSERT INTO usage VALUES(3,1975001,2,0,150,27,3,332,10,580540,1,239,5);
INSERT INTO usage VALUES(4,1975000,8,0,549,10,0,409,9,973282,1,2922,3);
INSERT INTO usage VALUES(4,1975001,3,1,11,30,2,420,36,676613,0,2363,0);
INSERT INTO usage VALUES(4,1975003,15,1,1101,36,12,404,34,1530902,2,1092,14);
INSERT INTO usage VALUES(5,1975000,2,1,705,57,0,319,14,992718,0,188,5);
INSERT INTO usage VALUES(6,1975002,2,1,285,16,2,475,35,554376,0,2446,4);
INSERT INTO usage VALUES(7,1975000,6,0,22,62,4,150,40,688098,1,2282,0);
INSERT INTO usage VALUES(8,1975002,6,1,43,29,3,300,33,985863,1,2930,0);
INSERT INTO usage VALUES(9,1975000,9,0,554,80,0,227,27,113096,0,1006,8);
INSERT INTO usage VALUES(9,1975001,4,1,300,36,0,298,12,257046,1,811,5);
INSERT INTO usage VALUES(10,1975003,6,1,762,87,6,200,9,310168,0,1321,7);
INSERT INTO usage VALUES(11,1975002,6,0,839,36,2,18,48,81273,1,1280,1);
INSERT INTO usage VALUES(12,1975000,6,1,263,52,4,321,49,511199,0,801,3);
INSERT INTO usage VALUES(13,1975003,4,0,593,7,1,318,39,234712,0,2838,5);
INSERT INTO usage VALUES(14,1975002,6,0,370,37,0,199,12,844344,1,628,3);
INSERT INTO usage VALUES(15,1975003,1,1,193,15,4,473,12,293012,0,2641,0);
INSERT INTO usage VALUES(16,1975001,4,0,43,86,5,193,19,82080,0,2531,6);
INSERT INTO usage VALUES(17,1975003,4,0,997,51,1,439,32,191581,1,2140,3);
CREATE TABLE usage_total (
  series INTEGER PRIMARY KEY,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL
) STRICT;
INSERT INTO usage_total VALUES(1,14,2,827,153,15,327,18,447987,1,3154,9);
INSERT INTO usage_total VALUES(2,6,0,726,63,10,434,36,1480992,1,3707,12);
INSERT INTO usage_total VALUES(3,2,0,150,27,3,332,10,580540,1,239,5);
INSERT INTO usage_total VALUES(4,26,2,1661,76,14,1233,79,3180797,3,6377,17);
INSERT INTO usage_total VALUES(5,2,1,705,57,0,319,14,992718,0,188,5);
INSERT INTO usage_total VALUES(6,2,1,285,16,2,475,35,554376,0,2446,4);
INSERT INTO usage_total VALUES(7,6,0,22,62,4,150,40,688098,1,2282,0);
INSERT INTO usage_total VALUES(8,6,1,43,29,3,300,33,985863,1,2930,0);
INSERT INTO usage_total VALUES(9,13,1,854,116,0,525,39,370142,1,1817,13);
INSERT INTO usage_total VALUES(10,6,1,762,87,6,200,9,310168,0,1321,7);
INSERT INTO usage_total VALUES(11,6,0,839,36,2,18,48,81273,1,1280,1);
INSERT INTO usage_total VALUES(12,6,1,263,52,4,321,49,511199,0,801,3);
INSERT INTO usage_total VALUES(13,4,0,593,7,1,318,39,234712,0,2838,5);
INSERT INTO usage_total VALUES(14,6,0,370,37,0,199,12,844344,1,628,3);
INSERT INTO usage_total VALUES(15,1,1,193,15,4,473,12,293012,0,2641,0);
INSERT INTO usage_total VALUES(16,4,0,43,86,5,193,19,82080,0,2531,6);
INSERT INTO usage_total VALUES(17,4,0,997,51,1,439,32,191581,1,2140,3);
CREATE TABLE minute (
  key INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (key, minute)
) STRICT, WITHOUT ROWID;
INSERT INTO minute VALUES(2,29626560,2,1,518,96,0,395,1,129708,0,443,1);
INSERT INTO minute VALUES(2,29626561,6,0,232,53,4,259,39,135702,1,2182,7);
INSERT INTO minute VALUES(2,29626562,16,1,1425,88,2,702,71,1468154,1,1813,5);
INSERT INTO minute VALUES(2,29626563,10,2,1132,179,16,611,130,1113147,0,5685,8);
INSERT INTO minute VALUES(2,29626565,8,1,240,88,5,440,14,518906,0,2211,0);
INSERT INTO minute VALUES(4,29626560,6,0,640,58,0,299,46,777361,0,464,0);
INSERT INTO minute VALUES(4,29626562,9,1,254,98,2,342,9,692119,1,2283,3);
INSERT INTO minute VALUES(4,29626563,6,0,946,83,0,41,7,852525,1,1893,8);
INSERT INTO minute VALUES(4,29626564,8,0,208,56,2,37,16,286136,0,1784,5);
INSERT INTO minute VALUES(6,29626560,4,1,98,20,4,40,43,913236,1,1505,2);
INSERT INTO minute VALUES(6,29626564,9,0,357,85,5,34,27,908706,0,278,4);
INSERT INTO minute VALUES(6,29626565,8,1,690,67,6,378,39,674615,1,659,4);
INSERT INTO minute VALUES(7,29626560,6,0,271,9,6,464,46,839079,0,2666,3);
INSERT INTO minute VALUES(7,29626563,7,0,246,98,8,319,20,921004,1,2433,5);
INSERT INTO minute VALUES(11,29626561,14,0,1338,143,12,646,63,1560748,0,2520,2);
INSERT INTO minute VALUES(11,29626564,8,0,809,95,7,153,47,309046,0,2921,4);
INSERT INTO minute VALUES(11,29626565,3,1,135,87,2,95,6,621653,0,571,4);
INSERT INTO minute VALUES(12,29626561,10,0,1533,122,13,767,75,1000760,1,2040,1);
CREATE TABLE last_used (
  key INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;
INSERT INTO last_used VALUES(2,1777593886962550393);
INSERT INTO last_used VALUES(6,1777593813711569317);
INSERT INTO last_used VALUES(11,1777593775223153180);
CREATE TABLE counter (
  family TEXT NOT NULL,
  owner INTEGER NOT NULL,
  name TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (family, owner, name)
) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES('pool',23,'schedule_runs',1);
INSERT INTO counter VALUES('probe',4,'probes:auth',1);
INSERT INTO counter VALUES('probe',11,'cost',1);
INSERT INTO counter VALUES('probe',11,'probes:chat',1);
INSERT INTO counter VALUES('probe',12,'failures:region_denied',1);
INSERT INTO counter VALUES('source',13,'future',1);
INSERT INTO counter VALUES('source',13,'read_bytes',12059);
INSERT INTO counter VALUES('source',13,'records',2);
INSERT INTO counter VALUES('source',13,'rejected:bad_json',2);
INSERT INTO counter VALUES('source',13,'rejected:duplicate',1);
INSERT INTO counter VALUES('source',14,'read_bytes',8499);
INSERT INTO counter VALUES('source',14,'rejected:duplicate',2);
INSERT INTO counter VALUES('source',21,'future',1);
INSERT INTO counter VALUES('source',21,'read_bytes',1877);
INSERT INTO counter VALUES('source',21,'rejected:missing_field',1);
INSERT INTO counter VALUES('usage_failure',6,'server_error',1);
INSERT INTO counter VALUES('usage_failure',11,'rate_limited',1);
CREATE TABLE cursor (
  source INTEGER NOT NULL,
  id INTEGER NOT NULL,
  path TEXT NOT NULL,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  birth INTEGER NOT NULL,
  head_length INTEGER NOT NULL,
  head_hash INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  anchor_length INTEGER NOT NULL,
  anchor_hash INTEGER NOT NULL,
  skipping INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
INSERT INTO cursor VALUES(14,1,'/var/log/tab	here',-4092036087,2397719930,885,176833126,-6319367851096300168,3181432997,2877962009,-472137087,1,0,1777593724907101846);
INSERT INTO cursor VALUES(14,2,'/var/log/clé-🔑',-2036822486,1836978261,246,2576355179,-4836749603054762184,178554675,3527145719,-3254641848,0,1,1777593781030680140);
INSERT INTO cursor VALUES(17,2,'/var/log/a',-3198993323,1040180470,174,26528836,-7313035528905709466,1235146445,1931466178,-2887803789,1,1,1777593739661960189);
INSERT INTO cursor VALUES(21,2,'/var/log/x''); DROP TABLE usage; --',-3341555302,418821703,211,434731442,-5667159194910061847,260466979,3839491424,-2258516595,0,0,1777593642090118356);
CREATE TABLE quota_window (
  quota INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER,
  used INTEGER NOT NULL,
  level_fired INTEGER NOT NULL,
  PRIMARY KEY (quota, owner)
) STRICT, WITHOUT ROWID;
INSERT INTO quota_window VALUES(15,16,1777593610238368553,1777593615493080875,7426,3);
INSERT INTO quota_window VALUES(18,19,1777593677157488508,NULL,2797,1);
INSERT INTO quota_window VALUES(22,19,1777593719747556685,1777593703181053478,20400,0);
INSERT INTO quota_window VALUES(24,25,1777593787582795519,1777593704492489512,37467,0);
CREATE TABLE health (
  key INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  verdict TEXT,
  since INTEGER NOT NULL,
  why TEXT NOT NULL,
  cooldown_until INTEGER,
  consecutive_failures INTEGER NOT NULL,
  consecutive_successes INTEGER NOT NULL,
  auth_strikes INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  last_probe_at INTEGER,
  last_success_at INTEGER
) STRICT;
INSERT INTO health VALUES(4,'exhausted',NULL,1777593637550390819,'because x''); DROP TABLE usage; --',1777593771831063767,0,4,1,0,NULL,1777593661797085582);
INSERT INTO health VALUES(11,'dead','server_error',1777593853379040747,'because a',1777593760442625675,2,1,2,0,1777593739570335137,1777593839706453387);
INSERT INTO health VALUES(12,'healthy','server_error',1777593750155670985,'because clé-🔑',NULL,0,2,2,0,1777593805469421448,NULL);
CREATE TABLE evidence (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  verdict TEXT NOT NULL,
  count INTEGER NOT NULL,
  message TEXT NOT NULL,
  retry_at INTEGER,
  probe TEXT,
  http_status INTEGER NOT NULL,
  latency INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  balances TEXT,
  rate_limits TEXT
) STRICT;
INSERT INTO evidence VALUES(1,11,1777593857205466925,'usage_log','quota_exhausted',1,'said tab	here',NULL,NULL,7,398138000,0,0,89,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"reset_at":1777593695617631062,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
INSERT INTO evidence VALUES(2,2,1777593879904633006,'probe','network',2,'said clé-🔑',1777593786931805902,'models',137,822389000,0,0,97,NULL,NULL);
INSERT INTO evidence VALUES(3,2,1777593669290062924,'report','disabled_key',3,'said clé-🔑',1777593809470855014,NULL,256,319995000,0,0,38,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"reset_at":1777593818241599874,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
INSERT INTO evidence VALUES(4,6,1777593887731833314,'usage_log','model_missing',2,'said clé-🔑',1777593870678774203,NULL,23,804018000,0,0,53,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
INSERT INTO evidence VALUES(5,12,1777593817106758917,'probe','server_error',4,'said it''s "quoted"',NULL,'models',146,870422000,0,0,0,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"reset_at":1777593819296578407,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
INSERT INTO evidence VALUES(6,4,1777593628222221194,'usage_log','rate_limited',2,'said a',1777593759163009139,NULL,138,699283000,0,0,57,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
INSERT INTO evidence VALUES(7,4,1777593609514158637,'usage_log','balance_exhausted',1,'said x''); DROP TABLE usage; --',1777593814041092540,NULL,399,365354000,0,0,65,'[{"currency":"USD","nanos":-5},{"currency":"CNY","nanos":9000000000000000000}]','[{"limit":500,"remaining":499,"reset_at":1777593843541570762,"resource":"requests"},{"limit":1,"remaining":0,"resource":"tokens"}]');
CREATE TABLE change (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  at INTEGER NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  verdict TEXT NOT NULL,
  why TEXT NOT NULL
) STRICT;
INSERT INTO change VALUES(1,4,1777593860359652906,'unknown','exhausted','region_denied','because x''); DROP TABLE usage; --');
INSERT INTO change VALUES(2,12,1777593843390987424,'unknown','throttled','server_error','because x''); DROP TABLE usage; --');
INSERT INTO change VALUES(3,12,1777593851690741402,'unknown','healthy','disabled_key','because clé-🔑');
INSERT INTO change VALUES(4,11,1777593717925535521,'unknown','dead','balance_exhausted','because a');
CREATE TABLE pool (
  pool INTEGER PRIMARY KEY,
  active TEXT NOT NULL,
  generation INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  switched_at INTEGER NOT NULL,
  last_rotation TEXT NOT NULL
) STRICT;
INSERT INTO pool VALUES(1,'key x''); DROP TABLE usage; --',2,1777593628037876677,1777593842877745383,'r29');
INSERT INTO pool VALUES(23,'key x''); DROP TABLE usage; --',3,1777593854905285872,1777593849895695862,'r27');
CREATE TABLE rotation (
  id TEXT PRIMARY KEY,
  pool TEXT NOT NULL,
  from_key TEXT NOT NULL,
  to_key TEXT NOT NULL,
  generation INTEGER NOT NULL,
  trigger TEXT NOT NULL,
  state TEXT NOT NULL,
  final INTEGER NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  steps TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO rotation VALUES('r9','pool clé-🔑','key tab	here','key b',0,'invalid_key','minted',0,'why clé-🔑','agent','[{"at":1777593708264675214,"note":"note x''); DROP TABLE usage; --","state":"planned"},{"at":1777593845904908953,"note":"","state":"minted"}]',1777593633848397294,1777593727896355797);
INSERT INTO rotation VALUES('r34','pool clé-🔑','key b','key tab	here',1,'quota','rolled_back',1,'why a','agent','[{"at":1777593651941640429,"note":"note b","state":"planned"},{"at":1777593697026481351,"note":"","state":"rolled_back"}]',1777593789902043399,1777593607140919934);
INSERT INTO rotation VALUES('r29','pool clé-🔑','key b','key x''); DROP TABLE usage; --',2,'invalid_key','verified',0,'why b','agent','[{"at":1777593779358491869,"note":"note b","state":"planned"},{"at":1777593847180267262,"note":"","state":"verified"}]',1777593679982329402,1777593837327712670);
INSERT INTO rotation VALUES('r27','pool x''); DROP TABLE usage; --','key b','key x''); DROP TABLE usage; --',3,'drill','retired',1,'why clé-🔑','agent','[{"at":1777593806266931888,"note":"note b","state":"planned"},{"at":1777593723833185914,"note":"","state":"retired"}]',1777593799317015950,1777593621767791539);
CREATE TABLE fire (
  schedule INTEGER NOT NULL,
  scheduled_at INTEGER NOT NULL,
  handled_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  PRIMARY KEY (schedule, scheduled_at)
) STRICT, WITHOUT ROWID;
INSERT INTO fire VALUES(1,0,1777593700856019966,'started');
INSERT INTO fire VALUES(1,60000000000,1777593753065558353,'started');
INSERT INTO fire VALUES(1,120000000000,1777593676466276204,'started');
INSERT INTO fire VALUES(23,180000000000,1777593634325299182,'started');
CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO setting VALUES('setting a','value clé-🔑');
INSERT INTO setting VALUES('setting b','value it''s "quoted"');
INSERT INTO setting VALUES('setting clé-🔑','value x''); DROP TABLE usage; --');
INSERT INTO setting VALUES('setting it''s "quoted"','value a');
CREATE INDEX evidence_by_key ON evidence (key, at);
CREATE INDEX change_by_key ON change (key, at);
CREATE INDEX rotation_by_time ON rotation (started_at, id);
CREATE INDEX rotation_by_pool ON rotation (pool, started_at, id);
CREATE INDEX rotation_unfinished ON rotation (started_at) WHERE final = 0;
COMMIT;
PRAGMA application_id = 1266247780;
PRAGMA user_version = 1;
