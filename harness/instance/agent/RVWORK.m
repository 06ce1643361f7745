RVWORK ; workload writer of the restore-verification harness; runs unchanged on IRIS and GT.M
 ; Databases: ^RVB* lives in database two, every other global here in database one.
 ;   ^RVA("b",writer,account)  balance, 64 accounts a writer          one
 ;   ^RVA("n")                 counter kept by $INCREMENT             one
 ;   ^RVA("h",writer,i)        trail: every 8th, written once         one
 ;   ^RVAS(writer)             sequence number in database one        one
 ;   ^RVAC(writer)             last commit, set after it, outside,    one
 ;                             and a check over it
 ;   ^RVAK(kind,...)           cold data, see cold                    one
 ;   ^RVAX("stop")             changed by stop: writers end; a count  one
 ;                             and a check over it
 ;   ^RVBS(writer)             sequence number in database two        two
 ;   ^RVB("h",writer,i)        history of transaction i; its last     two
 ;                             number is a check over what it read
 ;   ^RVB("t",writer,i)        set by every 8th, killed 64 later      two
 ;   ^RVB("l",writer,slot)     large value, every 16th, 4 slots       two
 ;   ^RVB("e",writer)          ^RVAX("stop") as the writer began      two
 ;   ^RVBK(kind,...)           cold data, see cold                    two
 ; What transaction i of a writer does is a function of seed, writer and i alone, but for what it reads:
 ; the last commit of another writer, and the counter.
 quit
 ;
write(w,ws,seed,first,count,seconds,commit,pace) ;
 ; Runs transactions first, first+1, ... of writer w of ws. Prints "ready", then each number after its
 ; commit returned, then "end". Ends after count transactions (0: no limit), after some seconds, or when told.
 ; Rests for a hundredth of a second after each pace transactions (0: never).
 new amt,code,epoch,from,i,iris,j,last,limit,n,to,v,x
 set iris=$zversion["IRIS"!($zversion["Cache")
 if first=1 do open(w) if w=1 do cold(seed,iris)
 set epoch=$get(^RVAX("stop")),last=$select(count:first+count-1,1:999999999)
 set limit=$piece($horolog,",",1)*86400+$piece($horolog,",",2)+seconds
 set ^RVB("e",w)=epoch
 set code=$$code(iris,commit)
 write "ready",!
 for i=first:1:last do  quit:$$ended(i,epoch,limit)
 . set x=i*48271+(w*7919)+seed#2147483647
 . set from=x#64,to=x\64#63+1+from#64,amt=x\4096#997+1
 . set v=$select(ws=1:w,1:i#(ws-1)+w#ws+1)
 . set n=0 set:i#16=0 n=$increment(^RVA("n"))
 . xecute code
 . set ^RVAC(w)=i_","_(i*7919+w#9973+10000)
 . write i,!
 . if pace,i#pace=0 hang 0.01
 write "end",!
 quit
 ;
open(w) ;
 ; Opening state of one writer, before its first transaction.
 new a
 for a=0:1:63 set ^RVA("b",w,a)=1000000
 set ^RVAS(w)=0,^RVBS(w)=0,^RVAC(w)=$$checked(w,0)
 quit
 ;
checked(w,i) ;
 ; What ^RVAC holds after transaction i: which of two numbers it was cannot be told from anything else.
 quit i_","_(i*7919+w#9973+10000)
 ;
ended(i,epoch,limit) ;
 ; Looks at the clock and at the stop node once in 32 transactions.
 quit:i#32 0
 quit:$get(^RVAX("stop"))'=epoch 1
 quit $piece($horolog,",",1)*86400+$piece($horolog,",",2)>limit
 ;
stop ;
 ; Every writer ends after the transaction it is in.
 new n
 set n=$get(^RVAX("stop"))+1,^RVAX("stop")=n_","_(n*7919#9973+10000)
 quit
 ;
clear ;
 ; Removes what earlier runs left, before the first writer of a run begins.
 do stop
 kill ^RVA,^RVAK,^RVAS,^RVAC,^RVB,^RVBK,^RVBS
 quit
 ;
code(iris,commit) ;
 ; One whole transaction as a line to XECUTE: TSTART and TCOMMIT must stand at one level, and the two
 ; products write TSTART differently. BATCH makes GT.M acknowledge before the journal is hardened, as IRIS does.
 new start
 set start=$select(iris:"tstart ",commit="buffered":"tstart ():(serial:transactionid=""BATCH"")",1:"tstart ():serial")
 quit start_" do body^RVWORK tcommit"
 ;
body ;
 ; The updates of one transaction; variables are those of write.
 ; The sequence numbers come last, so that what an open transaction left ends somewhere in this order.
 set j=+$get(^RVAC(v))
 set ^RVA("b",w,from)=^RVA("b",w,from)-amt,^RVA("b",w,to)=^RVA("b",w,to)+amt
 set:i#8=0 ^RVA("h",w,i)=(10000000000+i)_","_(1000+amt)
 set ^RVB("h",w,i)=(10000000000+i)_","_(100+from)_","_(100+to)_","_(1000+amt)_","_(100+v)_","_(10000000000+j)_","_(10000000000+n)_","_(x+(j*7)+(n*3)#9973+10000)
 if i#8=0 set ^RVB("t",w,i)=i,^RVB("t",w,i,1)=-i kill ^RVB("t",w,i-64)
 if i#16=0 set ^RVB("l",w,i\16#4)=i_":"_$translate($justify("",1000+(x#7000))," ",$char(65+(i#26)))
 set ^RVAS(w)=i,^RVBS(w)=i
 quit
 ;
cold(seed,iris) ;
 ; Data that is written once, before the load, and never again: no roll-forward can heal a block of it. The same in
 ; both databases but for the values, which tell database, kind and place.
 new b,d,g,i,k,t
 set b="" for i=0:1:255 set b=b_$char(i)
 for d=1,2 set g=$select(d=1:"^RVAK",1:"^RVBK") do
 . for i=1:1:600 set @g@("f",i)=$$value(seed,d,i,1000)                           ; many blocks
 . for i=-100:1:100 set @g@("n",i/4)=$$value(seed,d,i+200,20)                    ; negative and broken numbers
 . for i=0:1:583 set @g@("s",$$long(i))=$$value(seed,d,i+1000,60)                ; long keys: few a block, a deep index
 . for i=1:1:48 set @g@("u",$$letter(i,iris)_i)=$$value(seed,d,i+2000,20)_$$letter(i,iris)
 . for i=1:1:48 set @g@("e",i)=""
 . for i=0:1:15 set @g@("b",i)=$extract(b,i*16+1,256)_$extract(b,1,i*16+d-1)      ; every byte
 . for i=1:1:4 set @g@("m",i)=$$value(seed,d,i+3000,32700)                       ; near the classic limit of 32767
 . for i=1:1:8 set t=$name(@g@("d",i)) for k=1:1:20 set t=$name(@t@(k)),@t=$$value(seed,d,i*20+k+4000,10)
 quit
 ;
value(seed,d,i,n) ;
 new x
 set x=i*48271+(d*7919)+seed#2147483647
 quit x_":"_$translate($justify("",n)," ",$char(65+(x#26)))
 ;
long(i) ;
 ; A string of 180 characters that differs from others in the first two.
 quit $char(97+(i#26),97+(i\26))_$translate($justify("",178)," ",$char(97+(i#7)))
 ;
letter(i,iris) ;
 ; A Greek letter; without Unicode the bytes of its UTF-8.
 new c
 set c=945+(i#24)
 quit $select(iris:$char(c),1:$char(192+(c\64),128+(c#64)))
