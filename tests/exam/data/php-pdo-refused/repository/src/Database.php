<?php

final class Database
{
    public static function connect(): PDO
    {
        $host = getenv('PGHOST');
        return new PDO("pgsql:host={$host};port=5432;dbname=railway", 'postgres', getenv('PGPASSWORD') ?: '');
    }
}
