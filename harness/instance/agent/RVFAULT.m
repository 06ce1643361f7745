RVFAULT ; damage of the restored state that an engine can not be made to do; runs unchanged on IRIS and GT.M
 ; Only for restored instances, and only where the verifier itself is verified (harness.fault). RVWORK.m says what
 ; the nodes mean. Each label takes writer, number of writers and seed, and changes what its comment says.
 quit
 ;
of(i,w,seed) ;
 ; What transaction i of a writer moves: sets from, to, amt and x.
 set x=i*48271+(w*7919)+seed#2147483647
 set from=x#64,to=x\64#63+1+from#64,amt=x\4096#997+1
 quit
 ;
large(i) ;
 ; The large value of transaction i, after of(i).
 quit i_":"_$translate($justify("",1000+(x#7000))," ",$char(65+(i#26)))
 ;
undo(w,ws,seed) ;
 ; The last transaction was never made: it is gone from both databases without a trace.
 new amt,from,i,to,x
 set i=^RVBS(w) do of(i,w,seed)
 set ^RVA("b",w,from)=^RVA("b",w,from)+amt,^RVA("b",w,to)=^RVA("b",w,to)-amt
 kill ^RVB("h",w,i),^RVA("h",w,i)
 set ^RVAS(w)=i-1,^RVBS(w)=i-1,^RVAC(w)=$$checked^RVWORK(w,i-1)
 if i#8=0 kill ^RVB("t",w,i) if i>64 set ^RVB("t",w,i-64)=i-64,^RVB("t",w,i-64,1)=64-i
 if i#16=0 kill ^RVB("l",w,i\16#4) if i>64 do of(i-64,w,seed) set ^RVB("l",w,i\16#4)=$$large(i-64)
 quit
 ;
older(w,ws,seed) ;
 ; One writer is what it was long before the others: all of its last transactions are gone.
 new k
 for k=1:1:300 quit:^RVBS(w)<2  do undo(w,ws,seed)
 quit
 ;
open(w,ws,seed) ;
 ; What an engine leaves that does not roll back an open transaction: its updates without its end.
 new amt,from,i,n,to,x
 set i=^RVBS(w)+1 do of(i,w,seed)
 set ^RVA("b",w,from)=^RVA("b",w,from)-amt,^RVA("b",w,to)=^RVA("b",w,to)+amt
 set:i#8=0 ^RVA("h",w,i)=(10000000000+i)_","_(1000+amt)
 set ^RVB("h",w,i)=(10000000000+i)_","_(100+from)_","_(100+to)_","_(1000+amt)_","_(100+w)_",10000000000,10000000000,"_(x#9973+10000)
 quit
 ;
half(w,ws,seed) ;
 ; The last transaction lost its record in database two.
 kill ^RVB("h",w,^RVBS(w))
 quit
 ;
torn(w,ws,seed) ;
 ; Database one has counted a transaction that database two does not know.
 set ^RVAS(w)=^RVAS(w)+1
 quit
 ;
ahead(w,ws,seed) ;
 ; Both sequence numbers are one ahead of the record.
 set ^RVAS(w)=^RVAS(w)+1,^RVBS(w)=^RVBS(w)+1
 quit
 ;
hole(w,ws,seed) ;
 ; One transaction in the middle is missing from the record.
 kill ^RVB("h",w,^RVBS(w)\2)
 quit
 ;
twice(w,ws,seed) ;
 ; The last transaction moved its amount twice.
 new amt,from,to,x
 do of(^RVBS(w),w,seed)
 set ^RVA("b",w,from)=^RVA("b",w,from)-amt,^RVA("b",w,to)=^RVA("b",w,to)+amt
 quit
 ;
balance(w,ws,seed) ;
 ; A balance is one more than it should be.
 set ^RVA("b",w,7)=^RVA("b",w,7)+1
 quit
 ;
account(w,ws,seed) ;
 ; An account is gone.
 kill ^RVA("b",w,7)
 quit
 ;
history(w,ws,seed) ;
 ; The record of a transaction names another amount.
 new i
 set i=^RVBS(w)\2,$piece(^RVB("h",w,i),",",4)=$piece(^RVB("h",w,i),",",4)+1
 quit
 ;
trail(w,ws,seed) ;
 ; A node of the trail in database one is gone.
 kill ^RVA("h",w,^RVAS(w)\16*8)
 quit
 ;
trailed(w,ws,seed) ;
 ; A node of the trail in database one names another amount.
 new i
 set i=^RVAS(w)\16*8,$piece(^RVA("h",w,i),",",2)=$piece(^RVA("h",w,i),",",2)+1
 quit
 ;
coldone(w,ws,seed) ;
 ; A cold value of database one is one character shorter.
 set ^RVAK("f",300)=$extract(^RVAK("f",300),1,$length(^RVAK("f",300))-1)
 quit
 ;
coldtwo(w,ws,seed) ;
 ; A cold node of database two, at the end of a deep tree, is gone.
 kill ^RVBK("d",4,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20)
 quit
 ;
coldmore(w,ws,seed) ;
 ; Database one holds a cold node that nobody wrote.
 set ^RVAK("n",1000000000)="foreign"
 quit
 ;
coldgone(w,ws,seed) ;
 ; All cold data of database two is gone.
 kill ^RVBK
 quit
 ;
killed(w,ws,seed) ;
 ; A node that was killed is back.
 set ^RVB("t",w,8)=8,^RVB("t",w,8,1)=-8
 quit
 ;
cut(w,ws,seed) ;
 ; A large value lost its last character.
 new s
 set s=$order(^RVB("l",w,"")),^RVB("l",w,s)=$extract(^RVB("l",w,s),1,$length(^RVB("l",w,s))-1)
 quit
 ;
read(w,ws,seed) ;
 ; The record of a transaction says that it read another number.
 new i
 set i=^RVBS(w)\2,$piece(^RVB("h",w,i),",",6)=$piece(^RVB("h",w,i),",",6)-1
 quit
 ;
uncount(w,ws,seed) ;
 ; A transaction that took a value of the counter is said to have taken none.
 new i
 set i=^RVBS(w)\32*16,$piece(^RVB("h",w,i),",",7)=10000000000
 quit
 ;
recount(w,ws,seed) ;
 ; A transaction is said to have taken the value of the counter that an earlier one took; its check agrees.
 new i,now,then
 set i=^RVBS(w)\32*16,now=$piece(^RVB("h",w,i),",",7),then=$piece(^RVB("h",w,i-16),",",7)
 set $piece(^RVB("h",w,i),",",7)=then
 set $piece(^RVB("h",w,i),",",8)=$piece(^RVB("h",w,i),",",8)-10000-(now-then*3)#9973+10000
 quit
 ;
unreadable(w,ws,seed) ;
 ; The record of a transaction has another shape.
 set ^RVB("h",w,^RVBS(w)\2)="garbage"
 quit
 ;
overcount(w,ws,seed) ;
 ; The counter that $INCREMENT keeps is far ahead.
 set ^RVA("n")=^RVA("n")+1000
 quit
 ;
stranger(w,ws,seed) ;
 ; Database one holds a node of a kind that no workload writes.
 set ^RVA("x",1)="foreign"
 quit
 ;
counter(w,ws,seed) ;
 ; The counter that $INCREMENT keeps is behind.
 set ^RVA("n")=^RVA("n")\2
 quit
 ;
confirm(w,ws,seed) ;
 ; An update outside of transactions was not replayed.
 set ^RVAC(w)=$$checked^RVWORK(w,^RVAC(w)-100)
 quit
 ;
foreign(w,ws,seed) ;
 ; Data of a writer that there never was.
 set ^RVB("e",ws+1)=$get(^RVB("e",1)),^RVAS(ws+1)=3,^RVBS(ws+1)=3,^RVAC(ws+1)=$$checked^RVWORK(ws+1,3),^RVA("b",ws+1,0)=1000000
 quit
 ;
gone(w,ws,seed) ;
 ; All that one writer ever did is gone.
 kill ^RVA("b",w),^RVA("h",w),^RVAS(w),^RVAC(w),^RVBS(w),^RVB("e",w),^RVB("h",w),^RVB("t",w),^RVB("l",w)
 quit
