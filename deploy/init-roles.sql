-- Makes the two roles and gives them their rights. Run once, as a superuser, in the database
-- that the service will use (psql ≥ 14):
--
--   QX_OWNER_PASSWORD=… QX_APP_PASSWORD=… psql -v ON_ERROR_STOP=1 -d qingxiang -f init-roles.sql
--
-- qx_owner owns database and schema and runs the migrations; qx_app is the service, which owns
-- nothing. Rights on the tables are granted by the migrations, so qx_app must exist before them.

\getenv owner_password QX_OWNER_PASSWORD
\getenv app_password QX_APP_PASSWORD

CREATE ROLE qx_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE qx_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'app_password';

SELECT current_database() AS database \gset
ALTER DATABASE :"database" OWNER TO qx_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO qx_app;
ALTER SCHEMA public OWNER TO qx_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
