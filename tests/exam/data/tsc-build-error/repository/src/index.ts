import { total } from './total';

console.log(total([{ cents: 100 }], 'EUR'));
