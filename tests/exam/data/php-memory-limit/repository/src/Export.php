<?php

final class Export
{
    public static function rows(int $count): string
    {
        $rows = [];
        for ($n = 0; $n < $count; $n++) {
            $rows[] = ['number' => $n, 'name' => "customer {$n}"];
        }
        return json_encode($rows);
    }
}
